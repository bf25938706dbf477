// SPDX-License-Identifier: LGPL-2.1-or-later
// health.js: how the system is, now and over the last quarter of an hour. The server samples; the
// charts are drawn here.
import {
  ask, byId, bytes, clock, make, noteClock, pause, plain, showState, span
} from './common.js'

const EVERY_MS = 2000
const SVG = 'http://www.w3.org/2000/svg'
const WIDTH = 320
const HEIGHT = 84

const count = (value) => Math.round(value).toLocaleString('en')
const rate = (value) =>
  (value >= 100 ? count(value) : value.toLocaleString('en', { maximumFractionDigits: 1 }))

// What is drawn: from the samples, or from how much they grew in a second.
const charts = [
  { title: 'Changes', unit: 'a second', of: 'changes', grows: true, show: rate },
  { title: 'Open orders', unit: '', of: 'carts_open', show: count },
  { title: 'Checked out', unit: 'a minute', of: 'checked_out', grows: true, times: 60, show: rate },
  { title: 'Expired', unit: 'a minute', of: 'expired', grows: true, times: 60, show: rate },
  { title: 'Memory of carts', unit: '', of: 'live_bytes', show: bytes },
  { title: 'Waits for readers', unit: '', of: 'retired_bytes', show: bytes },
  { title: 'Locks waited for', unit: 'a second', of: 'lock_sleeps', grows: true, show: rate },
  { title: 'Deaths repaired', unit: 'a minute', of: 'deaths', grows: true, times: 60, show: rate }
]

// ------------------------------------------------------------------------------- the charts

// [milliseconds, value or null], the oldest first
function points(chart, at, samples) {
  const values = samples[chart.of]
  if (!chart.grows) return at.map((ms, i) => [ms, values[i]])
  return at.slice(1).map((ms, i) => {
    const known = values[i + 1] !== null && values[i] !== null
    const grown = values[i + 1] - values[i]
    const seconds = (ms - at[i]) / 1000
    // less than before: another arena has taken its place
    if (!known || grown < 0 || seconds <= 0) return [ms, null]
    return [ms, (grown / seconds) * (chart.times || 1)]
  })
}

function shape(name, kind, attributes) {
  const element = document.createElementNS(SVG, name)
  element.setAttribute('class', kind)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  return element
}

// A round number that is not below the value.
function ceiling(value, show) {
  if (value <= 0) return 1
  if (show === bytes) return 2 ** Math.ceil(Math.log2(value))
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= value * 0.999)
}

function draw(svg, list, spanMs, show) {
  const end = list.length ? list[list.length - 1][0] : 0
  const known = list.filter((one) => one[1] !== null)
  const top = ceiling(Math.max(0, ...known.map((one) => one[1])), show)
  const x = (ms) => (WIDTH - ((end - ms) / spanMs) * WIDTH).toFixed(1)
  const y = (value) => (HEIGHT - 4 - (value / top) * (HEIGHT - 12)).toFixed(1)
  const lines = []
  let run = []
  for (const [ms, value] of [...list, [0, null]]) {
    if (value !== null) run.push(`${x(ms)} ${y(value)}`)
    else if (run.length) {
      lines.push(run)
      run = []
    }
  }
  svg.replaceChildren(
    shape('line', 'grid', { x1: 0, x2: WIDTH, y1: y(top), y2: y(top) }),
    shape('line', 'grid', { x1: 0, x2: WIDTH, y1: y(top / 2), y2: y(top / 2) }),
    shape('line', 'axis', { x1: 0, x2: WIDTH, y1: y(0), y2: y(0) }),
    ...lines.flatMap((one) => [
      shape('path', 'area', {
        d: `M${one[0].split(' ')[0]} ${y(0)}L${one.join('L')}V${y(0)}Z`
      }),
      shape('path', 'line', { d: one.length > 1 ? 'M' + one.join('L') : `M${one[0]}h0.1` })
    ]))
  return { top, last: known.length ? known[known.length - 1][1] : null }
}

function makeChart(chart) {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`)
  svg.setAttribute('preserveAspectRatio', 'none')
  svg.setAttribute('role', 'img')
  chart.svg = svg
  chart.value = make('b', 'value', '\u2013')
  chart.top = make('span', 'top')
  chart.since = make('span', '')
  return make('figure', 'chart',
    make('figcaption', '',
      make('span', 'title', chart.title), chart.value, make('span', 'unit', chart.unit)),
    make('div', 'plot', svg, chart.top),
    make('div', 'times', chart.since, make('span', '', 'now')))
}

function showCharts(health) {
  // a quarter of an hour, or as long as it has sampled, but two minutes at the least
  const wholeMs = 180 * health.every_ms
  const spanMs = Math.min(wholeMs, Math.max(2 * 60000, health.now_ms - health.at[0]))
  for (const chart of charts) {
    const list = points(chart, health.at, health.samples)
      .filter((one) => one[0] > health.now_ms - spanMs)
    const { top, last } = draw(chart.svg, list, spanMs, chart.show)
    chart.value.textContent = last === null ? '\u2013' : chart.show(last)
    chart.top.textContent = list.some((one) => one[1] > 0) ? chart.show(top) : ''
    chart.since.textContent = span(spanMs) + ' ago'
    chart.svg.setAttribute('aria-label', `${chart.title}: ${chart.value.textContent} ${chart.unit}`)
  }
}

// -------------------------------------------------------------------------------- the rest

function table(id, heads, rows) {
  const head = make('tr', '', ...heads.map((name) => make('th', '', name)))
  byId(id).replaceChildren(make('thead', '', head),
    make('tbody', '', ...rows.map((cells) =>
      make('tr', '', ...cells.map((cell) => make('td', '', cell))))))
}

function state(kind, name, text) {
  return make('li', kind, make('b', '', name), ' ', make('span', '', text))
}

function showStates(health, values) {
  const list = []
  list.push(health.ready ? state('good', 'Carts', 'answer') : state('bad', 'Carts', health.why))
  if (values.agent_up !== undefined) {
    list.push(values.agent_up ? state('good', 'Agent', 'runs') :
      state('bad', 'Agent', 'does not run: carts work on, but none expires'))
  }
  if (health.journal) {
    list.push(health.journal.durable ? state('good', 'Journal', 'durable') :
      state(health.journal.mode === 'off' ? 'idle' : 'bad', 'Journal', health.journal.error))
  }
  if (health.feed?.ends_lost) {
    list.push(state('bad', 'Ends lost',
      `${count(health.feed.ends_lost)} that a cursor had not seen`))
  }
  if (values.carts_damaged) list.push(state('bad', 'Damaged carts', values.carts_damaged))
  if (values.readers_stalled) list.push(state('bad', 'Stalled readers', values.readers_stalled))
  if (values.max_carts) {
    const used = (values.carts_open + values.carts_checked_out) / values.max_carts
    list.push(state(used > 0.9 ? 'bad' : 'good', 'Room',
      `${count(used * 100)} % of ${count(values.max_carts)} carts`))
  }
  list.push(state('idle', 'Listeners',
    `${count(health.web.listeners)} of ${count(health.web.listeners_most)}`))
  byId('states').replaceChildren(...list)
}

function showTables(health) {
  byId('processes-part').hidden = !health.processes
  const cursors = health.feed?.cursors || []
  byId('cursors-part').hidden = !cursors.length
  table('cursors', ['cursor', 'events behind', 'of it ends', 'acknowledged'], cursors.map((one) =>
    [one.cursor, count(one.lag), count(one.ends), span(health.now_ms - one.acked_ms) + ' ago']))
  byId('deaths-part').hidden = !health.deaths?.length
  const took = (ns) => ns === null ? '' : `${(ns / 1000).toLocaleString('en',
    { maximumSignificantDigits: 3 })} \u00b5s`
  table('processes', ['pid', 'program', 'threads', 'since', 'changes: p50', 'p99'],
    (health.processes || []).map((one) =>
      [one.pid, one.program, one.threads, clock(Date.parse(one.started_at)),
        took(one.p50_ns), took(one.p99_ns)]))
  table('deaths', ['when', 'program', 'pid', 'what it was doing'],
    (health.deaths || []).slice().reverse().slice(0, 12).map((one) =>
      [span(health.now_ms - Date.parse(one.repaired_at)) + ' ago', one.program, one.pid, one.what]))
  table('rows', ['name', 'value', 'unit', ''], health.rows.map((one) =>
    [one.name, one.value.toLocaleString('en'), one.unit, one.help]))
}

byId('charts').append(...charts.map(makeChart))
for (;;) {
  try {
    const health = await ask('/api/health')
    const values = Object.fromEntries(health.rows.map((one) => [one.name, one.value]))
    noteClock(health.now_ms)
    showStates(health, values)
    showCharts(health)
    showTables(health)
    showState(health.ready ? 'live' : 'down', health.why)
    document.title = (health.ready ? '' : 'no answer \u00b7 ') + 'Health \u00b7 Corral'
    document.body.dataset.loaded = '1'
  } catch (error) {
    showState('down', plain(error.message))
  }
  await pause(EVERY_MS)
}
