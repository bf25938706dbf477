// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * Corral keeps the open carts of a restaurant's voice-ordering service in memory that all worker
 * processes of a machine share. A cart outlives each of them.
 *
 * Calls that need only memory are synchronous: reads take no lock, and a change waits for another
 * process's change of the same cart for at most the store's patience. What waits (for the disk, for
 * a change of another process, for an agent to start) is a Promise.
 *
 * Money is in minor units (cents) as whole numbers. Nothing is rounded on the way: 8.99, NaN, "899"
 * and what a number cannot hold exactly are refused with a RangeError or a TypeError that names the
 * field. A call that throws has changed nothing.
 */

/** Minor units of the currency: 899 is 8.99 USD. A bigint may be given; a number is answered. */
export type Cents = number

/** A rate in parts per million: 82500 is 8.25 %. See {@link rate}. */
export type Ppm = number

/** A value that is kept with an item. */
export type Extra =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | RawExtra
  | Extra[]
  | { [key: string]: Extra }

/** A value that JavaScript cannot express (an extension type of MessagePack ...), as it came. */
export class RawExtra {
  constructor(bytes: Uint8Array)
  readonly bytes: Uint8Array
}

export interface ModifierInput {
  name: string
  /** For one unit of the line; may be negative. */
  priceCents: Cents | bigint
}

/**
 * An item as it is added. A line of an order may be given, too. A field of another name is refused:
 * a misspelt `note` would be lost without a word.
 */
export interface ItemInput {
  /** What was ordered; not empty. */
  menuItemId: string
  /** What people read. */
  name?: string | undefined
  /** What the customer said about it. */
  notes?: string | undefined
  unitPriceCents: Cents | bigint
  /** 1 to 999999; 1 if it is left out. */
  quantity?: number | undefined
  /** At most 64. */
  modifiers?: readonly ModifierInput[] | undefined
  /** Further keys, at most 64, kept as they are: an allergy, the id of a kitchen's ticket. */
  extras?: { readonly [key: string]: Extra } | undefined
  /** true: always a line of its own. Otherwise an equal line's quantity is raised. */
  separate?: boolean | undefined
  /** Its own tax rate (alcohol, take-away); left out: the cart's. */
  taxPpm?: Ppm | bigint | undefined
  /** Of a line of an order; not looked at (but by `replace()`, for the line's number). */
  line?: number | undefined
  modifiersCents?: Cents | undefined
  totalCents?: Cents | undefined
}

export interface Modifier {
  name: string
  priceCents: Cents
}

/** A line of an order. */
export interface Line {
  /** Its number, which it keeps as long as the cart lives. */
  line: number
  menuItemId: string
  name: string
  notes: string
  quantity: number
  unitPriceCents: Cents
  /** The sum of the modifiers' prices, for one unit. */
  modifiersCents: Cents
  /** quantity * (unitPriceCents + modifiersCents) */
  totalCents: Cents
  separate: boolean
  modifiers: Modifier[]
  extras: { [key: string]: Extra } | undefined
  /** Its own tax rate; undefined: it is taxed at the cart's. */
  taxPpm: Ppm | undefined
}

/** What is added to an order, or taken off it, besides its lines. A cart has one of a name. */
export interface AdjustmentInput {
  name: string
  /** A discount is subtracted, the others are added. */
  kind: 'discount' | 'fee' | 'tip' | 'service'
  /** true: it is not taxed. false, or left out: it is part of what is taxed. */
  afterTax?: boolean | undefined
  /** Parts per million of the subtotal; or `cents`. */
  ppm?: Ppm | bigint | undefined
  /** The amount, 0 or more; or `ppm`. */
  cents?: Cents | bigint | undefined
  /** Not looked at. */
  amountCents?: Cents | undefined
}

export interface Adjustment {
  name: string
  kind: 'discount' | 'fee' | 'tip' | 'service'
  afterTax: boolean
  ppm: Ppm | undefined
  cents: Cents | undefined
  /** What it adds to the total: negative for a discount. */
  amountCents: Cents
}

/** How prices are meant. What is left out is false. */
export interface Pricing {
  /** Prices have the tax in them. */
  taxInside?: boolean | undefined
  /** Half a cent is rounded to the even one; else away from zero. */
  halfEven?: boolean | undefined
  /** The total may be below zero; else such a change is refused (EDOM). */
  belowZero?: boolean | undefined
}

/** What is taxed at one rate. */
export interface Rate {
  taxPpm: Ppm
  /** Without the tax. */
  baseCents: Cents
  taxCents: Cents
}

/** open: it can be changed. checked_out: it can be read and dropped. */
export type Status = 'open' | 'checked_out'

/** A cart as it was at one moment: a copy, yours to change. Times are milliseconds since 1970. */
export interface Order {
  restaurantId: string
  sessionId: string
  /** Grows with each change; names one content for ever. */
  version: number
  status: Status
  items: Line[]
  /** The sum of the lines' quantities. */
  itemCount: number
  subtotalCents: Cents
  taxPpm: Ppm
  taxCents: Cents
  totalCents: Cents
  /** The sums of the adjustments before and after tax. */
  beforeTaxCents: Cents
  afterTaxCents: Cents
  /** By rate, the lowest first. */
  rates: Rate[]
  adjustments: Adjustment[]
  pricing: Pricing
  /** A code of ISO 4217, or '' if none was said; and the digits of its minor unit. */
  currency: string
  currencyDigits: number
  attributes: { [name: string]: string }
  /** How long it lives without activity. */
  ttlMs: number
  createdMs: number
  updatedMs: number
  /** When it ends if nothing else happens. */
  expiresMs: number
}

/** What {@link Cart.replace} takes; an {@link Order} will do. */
export interface OrderInput {
  /** A line keeps its number; without one it gets a new one. */
  items: readonly ItemInput[]
  taxPpm?: Ppm | bigint | undefined
  /** Left out: none. */
  adjustments?: readonly AdjustmentInput[] | undefined
  pricing?: Pricing | undefined
  /** '' or left out: it stays. */
  currency?: string | undefined
  attributes?: { readonly [name: string]: string } | undefined
}

/** A row of {@link Store.list}. */
export interface Row {
  restaurantId: string
  sessionId: string
  version: number
  status: Status
  itemCount: number
  lineCount: number
  subtotalCents: Cents
  taxPpm: Ppm
  taxCents: Cents
  totalCents: Cents
  ttlMs: number
  createdMs: number
  updatedMs: number
  expiresMs: number
}

/** What a change answers. */
export interface Answer {
  readonly version: number
  readonly subtotalCents: Cents
  readonly taxCents: Cents
  readonly totalCents: Cents
  readonly itemCount: number
  /** The number of the line that was added to, set or removed; of several the last one; else 0. */
  readonly line: number
  /** The same for each step, or each item of an array. */
  readonly lines: number[]
  /** false: an earlier call with this operation id has made the change; these are its numbers. */
  readonly applied: boolean
  readonly status: Status
  /** The change is on disk already; else `store.sync()` waits until it is. */
  readonly durable: boolean
  /**
   * The order as this change left it (of a repeat: as it is now; of a drop: its last version),
   * decoded when it is first looked at. undefined if there was no copy of it to be had.
   */
  readonly order: Order | undefined
}

/** A line: its number, or the menu item that exactly one line has. */
export type LineRef = number | bigint | { menuItemId: string }

type OfLine =
  { line: number | bigint; menuItemId?: undefined } | { menuItemId: string; line?: undefined }

/** A step of {@link Cart.apply}. */
export type Step =
  | ({ step: 'add' } & ItemInput)
  /** 0 removes the line. */
  | ({ step: 'setQuantity'; quantity: number | bigint } & OfLine)
  /** So many more, or less; the line is removed when nothing is left. */
  | ({ step: 'changeQuantity'; difference: number | bigint } & OfLine)
  | ({ step: 'remove' } & OfLine)
  | { step: 'clear' }
  | { step: 'tax'; taxPpm: Ppm | bigint }
  /** A rate of the line's own; null: the order's rate again. */
  | ({ step: 'lineTax'; taxPpm: Ppm | bigint | null } & OfLine)
  /** null takes it away. */
  | { step: 'attribute'; name: string; value: string | null }
  | { step: 'ttl'; ttlMs: number | bigint }
  | { step: 'checkout' }
  | ({ step: 'adjust' } & AdjustmentInput)
  | { step: 'removeAdjustment'; name: string }
  | ({ step: 'pricing' } & Pricing)
  | { step: 'currency'; currency: string }

export interface ChangeOptions {
  /**
   * Operation id, such as a model's tool call id, unique among the changes of a cart: the same
   * change with an id that the cart remembers (its last 64) is not made again, and answers what it
   * answered the first time (`applied` is false). Another change is refused (ENOTUNIQ).
   */
  opId?: string | undefined
  /** Change only this version, else ECANCELED. 0: any. */
  ifVersion?: number | bigint | undefined
}

/**
 * Try until the cart is free, without blocking the event loop, instead of EBUSY after the store's
 * patience. The answer is a Promise then.
 */
export interface WaitOptions {
  wait: true
  /** Give up; nothing is changed then. */
  signal?: AbortSignal | undefined
}

export interface NoWait {
  wait?: false | undefined
  signal?: undefined
}

/**
 * One cart. Making this object changes nothing: the first item makes the cart. All changes throw
 * {@link CorralError}: ESHUTDOWN (checked out), ECANCELED (another version), ENOTUNIQ (the id was
 * given to another change), EBUSY, ENOMEM, ENOSPC, ENOENT, ENXIO (no such line), EMLINK
 * (several lines have this menu item) ...
 */
export class Cart {
  private constructor()
  readonly restaurantId: string
  readonly sessionId: string

  /** Add an item, or several as one change. `taxPpm` also sets the tax rate. */
  add(
    item: ItemInput | readonly ItemInput[],
    options: ChangeOptions & { taxPpm?: Ppm | bigint | undefined } & WaitOptions
  ): Promise<Answer>
  add(
    item: ItemInput | readonly ItemInput[],
    options?: ChangeOptions & { taxPpm?: Ppm | bigint | undefined } & NoWait
  ): Answer

  /** Several steps as one change, at most 256: all or none, one version, one operation id. */
  apply(steps: readonly Step[], options: ChangeOptions & WaitOptions): Promise<Answer>
  apply(steps: readonly Step[], options?: ChangeOptions & NoWait): Answer

  /** 0 removes the line. */
  setQuantity(
    line: LineRef,
    quantity: number | bigint,
    options: ChangeOptions & WaitOptions
  ): Promise<Answer>
  setQuantity(line: LineRef, quantity: number | bigint, options?: ChangeOptions & NoWait): Answer

  /** So many more, or less; the line is removed when nothing is left. */
  changeQuantity(
    line: LineRef,
    difference: number | bigint,
    options: ChangeOptions & WaitOptions
  ): Promise<Answer>
  changeQuantity(
    line: LineRef,
    difference: number | bigint,
    options?: ChangeOptions & NoWait
  ): Answer

  remove(line: LineRef, options: ChangeOptions & WaitOptions): Promise<Answer>
  remove(line: LineRef, options?: ChangeOptions & NoWait): Answer

  /** Remove all lines. */
  clear(options: ChangeOptions & WaitOptions): Promise<Answer>
  clear(options?: ChangeOptions & NoWait): Answer

  /** Set the tax rate. */
  tax(taxPpm: Ppm | bigint, options: ChangeOptions & WaitOptions): Promise<Answer>
  tax(taxPpm: Ppm | bigint, options?: ChangeOptions & NoWait): Answer

  /** Set an attribute; null takes it away. */
  attribute(
    name: string,
    value: string | null,
    options: ChangeOptions & WaitOptions
  ): Promise<Answer>
  attribute(name: string, value: string | null, options?: ChangeOptions & NoWait): Answer

  /** How long the cart lives without activity; 0: what the arena says. */
  ttl(ttlMs: number | bigint, options: ChangeOptions & WaitOptions): Promise<Answer>
  ttl(ttlMs: number | bigint, options?: ChangeOptions & NoWait): Answer

  /** Set an adjustment: a discount, fee, tip or service charge. */
  adjust(adjustment: AdjustmentInput, options: ChangeOptions & WaitOptions): Promise<Answer>
  adjust(adjustment: AdjustmentInput, options?: ChangeOptions & NoWait): Answer

  removeAdjustment(name: string, options: ChangeOptions & WaitOptions): Promise<Answer>
  removeAdjustment(name: string, options?: ChangeOptions & NoWait): Answer

  /** Say how prices are meant; all that is left out is false from then on. */
  pricing(pricing: Pricing, options: ChangeOptions & WaitOptions): Promise<Answer>
  pricing(pricing: Pricing, options?: ChangeOptions & NoWait): Answer

  /** Set the currency; ENOTEMPTY if the cart has another, and lines or adjustments. */
  currency(currency: string, options: ChangeOptions & WaitOptions): Promise<Answer>
  currency(currency: string, options?: ChangeOptions & NoWait): Answer

  /** From now on it can only be read and dropped. `ifVersion`: the one that the customer heard. */
  checkout(options: ChangeOptions & WaitOptions): Promise<Answer>
  checkout(options?: ChangeOptions & NoWait): Answer

  /** End the cart now. A second drop finds none: ENOENT. */
  drop(options: ChangeOptions & WaitOptions): Promise<Answer>
  drop(options?: ChangeOptions & NoWait): Answer

  /** Put another order in its place if the cart has this version still (0: if there is none). */
  replace(order: OrderInput, options: ChangeOptions & WaitOptions): Promise<Answer>
  replace(order: OrderInput, options?: ChangeOptions & NoWait): Answer

  /**
   * Read, change, and put back, again if another change came between (16 times, or `tries`). The
   * function may change the order that it is given, and return it; null or undefined: leave the
   * cart as it is. It may be called several times and must not return a Promise.
   */
  update(
    change: (order: Order | null) => OrderInput | null | undefined,
    options?: { opId?: string | undefined; tries?: number | undefined }
  ): Answer | null

  /**
   * The cart, or null if there is none. Counts as activity, which keeps the cart alive, unless
   * `touch` is false.
   */
  get(options?: { touch?: boolean | undefined }): Order | null

  /**
   * Wait until the cart's version is greater than `after`, by default the one that it has now;
   * 0: until there is a cart at all. Resolves to the new version. Rejects with ENOENT if the cart
   * ends, ETIMEDOUT after `timeoutMs`, and with the signal's reason.
   */
  changed(options?: {
    after?: number | bigint | undefined
    timeoutMs?: number | undefined
    signal?: AbortSignal | undefined
  }): Promise<number>
}

/** What an event says about the change that it tells, or the end. */
export interface CartEvent {
  /** checked_out is the change that did it; after dropped and expired there is no cart. */
  kind: 'changed' | 'checked_out' | 'dropped' | 'expired'
  /** Events are numbered in the order in which they are read. `from: number + 1` goes on behind. */
  number: number
  timeMs: number
  restaurantId: string
  sessionId: string
  /** Of the cart after the change; of one that ended, its last. A cart's come in their order. */
  version: number
  status: Status
  opId: string | undefined
  /** The process that did it. */
  by: { label: string; pid: number }
  /** What the change did: its first eight steps. */
  steps: EventStep[]
  stepCount: number
  lineCount: number
  itemCount: number
  /** NaN if it is beyond 2^53, as in all amounts here. */
  subtotalCents: Cents
  taxCents: Cents
  totalCents: Cents
  currency: string
  currencyDigits: number
}

export interface EventStep {
  /** As in {@link Step}; replace, or restore (from a snapshot or a journal), stand alone. */
  step: Step['step'] | 'replace' | 'restore'
  /** The line that it added to, set or removed. */
  line: number | undefined
  /** Its quantity, difference, rate, time to live or amount; else 0. */
  amount: number
}

/** The reader was too slow, or was away for too long: list the carts, and go on. */
export interface Gap {
  kind: 'gap'
  number: number
  /** These were not read. */
  from: number
  to: number
  /** How many events that were, if it is known. */
  missed: number | undefined
  timeMs: number
}

export interface EventsOptions {
  /** Of one restaurant only, and of one session only. */
  restaurantId?: string | undefined
  sessionId?: string | undefined
  /** These only; gaps are told always. */
  kinds?: readonly CartEvent['kind'][] | undefined
  /** What happens from now on (else), from the oldest that is kept, or from this number on. */
  from?: 'now' | 'oldest' | number | bigint | undefined
  signal?: AbortSignal | undefined
}

/** An open arena. */
export class Store {
  private constructor()
  /** The cart of a restaurant and a session, each 1 to 128 bytes of UTF-8. */
  cart(restaurantId: string, sessionId: string): Cart
  /**
   * The carts, of one restaurant or of all, without order. One that exists all the while comes
   * exactly once; one that is made or ends meanwhile may come or not. Does not count as activity.
   */
  list(options?: { restaurantId?: string | undefined }): IterableIterator<Row>
  /**
   * Each change of a cart, and each end, by whichever process: `for await (const event of
   * store.events())`. It begins with this call, and goes on until the loop is left, the store is
   * closed or the signal aborts (then it throws the reason). No reader holds a writer up, nor does
   * it collect events here: what a slow reader has not read yet is in the arena's ring, and when
   * that has gone round, a {@link Gap} says so. EOPNOTSUPP: the agent runs with `--feed off`.
   */
  events(options?: EventsOptions): AsyncGenerator<CartEvent | Gap, void, void>
  /**
   * Wait until all that this process has changed is on disk. Many calls share one sync. Rejects
   * with EOPNOTSUPP (the agent keeps no journal), ENOTCONN (no agent runs), EIO, ENOSPC ...: what
   * was changed stays, but would not outlive a power loss.
   */
  sync(options?: { signal?: AbortSignal | undefined }): Promise<void>
  /**
   * The counters, sizes and states that `corral status` tells, by name, such as `carts_open`.
   * From memory, in a time that does not grow with the number of carts.
   */
  stats(): { [name: string]: number }
  readonly closed: boolean
  /** Calls on the store and its carts throw from now on, waits reject. What was changed stays. */
  close(): void
}

export interface OpenOptions {
  /** The agent's directory; left out: $CORRAL_DIR, else the user's default. */
  dir?: string | undefined
  /**
   * How long a change blocks while another process changes the cart, before EBUSY; else 20. Changes
   * of one turn of the event loop that block in vain do so for this time in all.
   */
  patienceMs?: number | undefined
  /** What tools and logs call this process, instead of "node"; at most 39 bytes of UTF-8. */
  label?: string | undefined
  /** Refuse changes; works on a read-only mount, too. */
  readOnly?: boolean | undefined
  /**
   * Answer ESTALE if the arena's file is cut off under us, instead of dying of SIGBUS. The process
   * must not have a handler of its own for it (`process.on('SIGBUS')`).
   */
  catchSigbus?: boolean | undefined
}

/**
 * Attach to an arena that an agent has made. All stores of a process on one arena, those of its
 * worker threads too, share one attachment.
 */
export function open(options?: OpenOptions): Store

export interface StartAgentOptions {
  /** Its directory, which is made if it is not there. */
  dir: string
  /** Another corral-agent than the one in this package. */
  program?: string | undefined
  /** Further arguments, such as ['--journal', 'sync']; see corral-agent(8). */
  args?: readonly string[] | undefined
  signal?: AbortSignal | undefined
}

/**
 * Start an agent in the background, which outlives this process. Resolves when it is ready, or when
 * another one has the directory already. Its environment is empty.
 */
export function startAgent(options: StartAgentOptions): Promise<void>

/** End the agent of a directory. Carts stay. */
export function stopAgent(options: {
  dir: string
  program?: string | undefined
  signal?: AbortSignal | undefined
}): Promise<void>

/** The library refused a call. Nothing was changed. */
export class CorralError extends Error {
  private constructor()
  /** The error's name, such as 'ECANCELED'. */
  readonly code: string
  /** Its number, negative as in Node's own errors. */
  readonly errno: number
  /** Which step of the change was refused, from 1. */
  readonly step?: number
}

/** money('8.99', 'USD') is 899, money('500', 'JPY') 500. Nothing is rounded: '8.999' is refused. */
export function money(amount: string, currency: string): Cents

/** rate('8.25%') is 82500. */
export function rate(percent: string): Ppm

/** The agent's program in this package. */
export const agentProgram: string

/** The library's version. */
export const version: string
