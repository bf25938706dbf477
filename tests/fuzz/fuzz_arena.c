/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_arena.c: the library and its tools on a small arena (arena_image.h) with damaged bytes.
 *
 * The input is a list of steps of 10 bytes: { code, region, index (2), at (2), value (4) }. Codes
 * below 128 are damage: words of the arena are changed; codes from 128 on are calls. Damage before
 * the first call is done to the file while no process is attached; later damage happens while we
 * are attached, as if by another process.
 *
 * Before the first call the damaged arena is also salvaged.
 *
 * Besides not crashing: when only the bytes of one cart were damaged, all others can be read.
 */
#include <errno.h>

#include "damage.h"
#include "fuzz.h"

#include "api/handle.h"
#include "cart/cart.h"
#include "inspect/inspect.h"
#include "inspect/salvage.h"
#include "memory/pressure.h"
#include "memory/retire.h"
#include "store/expire.h"
#include "store/repair.h"
#include "store/slot.h"
#include "sync/grace.h"

#define STEPS_MAX 48
#define CALL 128u
#define VIEWS_MAX 3

static struct arena_image image;
static struct corral *corral;
static struct corral_view views[VIEWS_MAX];
static uint32_t view_count;
static struct damage damage;

/* ------------------------------------------------------------------- looking */

static void ignore_finding(void *context, const char *line)
{
	*(size_t *)context += strlen(line);
}

static void look_at_rows(struct inspect *inspect)
{
	struct inspect_process process;
	struct inspect_thread thread;
	struct inspect_class class_no;
	struct inspect_slot slot;
	struct inspect_lock locks[4];
	size_t count;
	bool used;

	for (uint32_t i = 0; i < 4 && inspect_process(inspect, i, &used, &process) == 0; i++)
		must(!used || strlen(process.program) < sizeof(process.program));
	for (uint32_t i = 0; i < 4 && inspect_thread(inspect, i, &used, &thread) == 0; i++)
		must(!used || strlen(thread.doing) < sizeof(thread.doing));
	for (uint32_t i = 0; inspect_class(inspect, i, &used, &class_no) == 0; i++)
		must(i < CLASS_COUNT);
	(void)inspect_locks(inspect, locks, COUNT(locks), &count);
	for (uint32_t i = 0; inspect_slot(inspect, i, &used, &slot) == 0; i++) {
		struct corral_cart *cart;
		if (used && cart_validate(slot.bytes, slot.size) == 0) {
			must(cart_decode(slot.bytes, slot.size, true, &cart) == 0);
			corral_cart_free(cart);
		}
	}
}

static void look_from_outside(bool rows)
{
	char why[ARENA_WHY_BYTES] = "";
	struct inspect_totals totals;
	struct inspect *inspect;
	size_t said = 0;
	uint64_t faults;
	bool quiet;

	if (inspect_open(image.directory, true, &inspect, why, sizeof(why)) < 0)
		return;
	must(inspect_check(inspect, ignore_finding, &said, &faults, &quiet, &totals) == 0);
	must((faults == 0) == (said == 0));
	if (rows) {
		(void)inspect_totals(inspect, &totals);
		look_at_rows(inspect);
	}
	inspect_close(inspect);
}

/* ------------------------------------------------------------------- salvage */

struct salvaged {
	uint32_t carts; /* bit by number of the key */
	uint32_t count;
	size_t said;
};

static int take_salvaged(void *context, const void *cart, size_t size, uint64_t idle_ns)
{
	struct salvaged *salvaged = context;
	struct corral_key key;

	must(cart_validate(cart, size) == 0 && cart_get_key(cart, size, &key) == 0);
	if (idle_ns == SALVAGE_OVER)
		return 1; /* its time was up: it is told, and not kept */
	for (uint32_t number = 0; number < IMAGE_KEYS; number++) {
		struct corral_text session = arena_image_key(number).session_id;
		if (session.size == key.session_id.size &&
		    memcmp(session.data, key.session_id.data, session.size) == 0)
			salvaged->carts |= 1u << number;
	}
	salvaged->count++;
	return 0;
}

static void salvage_finding(void *context, const char *line)
{
	((struct salvaged *)context)->said += strlen(line);
}

/* Salvage must return every undamaged cart except the expired one. */
static void salvage(void)
{
	struct salvage_totals totals;
	struct arena_settings settings;
	struct salvaged salvaged = { 0 };
	struct salvage *from;
	char why[ARENA_WHY_BYTES] = "";

	if (salvage_open(image.arena.dir_fd, &from, why) < 0) {
		must(why[0] != '\0' && damage.elsewhere);
		return;
	}
	salvage_settings(from, &settings);
	must(settings.arena_bytes >= ARENA_BYTES_MIN && settings.max_carts >= 1);
	must(salvage_carts(from, NULL, take_salvaged, salvage_finding, &salvaged, &totals) == 0);
	must(totals.kept == salvaged.count && (totals.damaged == 0 || salvaged.said > 0));
	salvage_close(from);
	uint32_t sound = (1u << IMAGE_CARTS) - 1 - (1u << IMAGE_OVER);
	must(damage.elsewhere || (sound & ~damage.carts & ~salvaged.carts) == 0);
}

/* ------------------------------------------------------------------- reading */

static void read_view(const struct corral_view *view)
{
	struct corral_attribute attribute;
	struct corral_item *item;
	struct corral_head head;
	struct corral_line line;
	struct corral_key key;

	(void)corral_view_key(view, &key);
	(void)corral_view_expires_ms(view);
	if (corral_view_head(view, &head) < 0)
		return;
	for (uint32_t i = 0; i < CORRAL_LINES_MAX && corral_view_line(view, i, &line) == 0; i++)
		if (corral_view_item(view, i, &item) == 0)
			corral_item_free(item);
	for (uint32_t i = 0;
	     i < CORRAL_ATTRIBUTES_MAX && corral_view_attribute(view, i, &attribute) == 0; i++)
		must(attribute.name.size <= view->size && attribute.value.size <= view->size);
}

/* The damage may mark the view as revoked. */
static void end_view(struct corral_view *view)
{
	int r = corral_read_end(view);

	must(r == 0 || r == -ESTALE);
}

/* In too little room, or in enough for the carts of the image. */
static void read_flat(const struct corral_key *key)
{
	static double numbers[8192];
	static char text[65536];
	struct corral_flat flat = { .numbers = numbers,
				    .number_room = COUNT(numbers),
				    .text = text,
				    .text_room = sizeof(text),
				    .unit = CORRAL_FLAT_UTF16 };

	if (corral_read_flat(corral, key, &flat) == 0)
		must(numbers[CORRAL_FLAT_HEAD_COUNT] == CORRAL_FLAT_HEAD_NOW &&
		     flat.number_count <= COUNT(numbers) &&
		     flat.text_size + flat.values_size <= sizeof(text));
}

static void read_stats(void)
{
	struct corral_stat rows[CORRAL_STATS_MAX];
	size_t count;

	if (corral_stats(corral, rows, COUNT(rows), &count) == 0)
		must(count <= COUNT(rows));
}

static void read_cart(uint32_t number)
{
	static uint8_t buffer[65536];
	struct corral_key key = arena_image_key(number);
	struct corral_view view;
	struct corral_cart *cart;
	size_t size;

	if (corral_read_begin(corral, &key, &view) == 0) {
		read_view(&view);
		end_view(&view);
	}
	if (corral_read_copy(corral, &key, buffer, sizeof(buffer), &size, &view) == 0)
		read_view(&view);
	if (corral_get(corral, &key, &cart) == 0)
		corral_cart_free(cart);
	read_flat(&key);
}

/* The damage was in one cart's bytes: the others must be readable. */
static void others_are_well(void)
{
	struct corral_cart *cart;

	for (uint32_t number = 0; number < IMAGE_CARTS; number++) {
		struct corral_key key = arena_image_key(number);
		if ((damage.carts & 1u << number) != 0)
			continue;
		int r = corral_get(corral, &key, &cart);
		must(r == 0 || r == -ENOENT);
		if (r == 0)
			corral_cart_free(cart);
	}
}

static void list_carts(void)
{
	struct corral_entry rows[5];
	struct corral_list *list;
	size_t count = 1;

	must(corral_list_open(corral, NULL, &list) == 0);
	for (uint32_t round = 0; round <= IMAGE_MAX_CARTS && count != 0; round++) {
		if (corral_list_next(list, rows, COUNT(rows), &count) < 0) {
			corral_list_close(list);
			return;
		}
		for (size_t i = 0; i < count; i++)
			must(strlen(rows[i].restaurant_id) <= CORRAL_ID_MAX &&
			     strlen(rows[i].session_id) <= CORRAL_ID_MAX);
	}
	corral_list_close(list);
	must(count == 0);
}

/* -------------------------------------------------------------------- calls */

static void add(const struct corral_key *key, const struct step *step)
{
	static const struct corral_modifier modifier = { { "cheese", 6 }, 150 };
	struct corral_item item = {
		.menu_item_id = { "item-0", 6 },
		.name = { "Burger", 6 },
		.notes = { "a note that takes some room, as long as it is", step->at % 46 },
		.unit_price_cents = step->value % 4 != 0 ? 899 : (int64_t)step->value << 30,
		.quantity = 1 + step->at % 3,
		.modifier_count = step->at % 2,
		.modifiers = &modifier
	};
	struct corral_op op = { .id = { "op-12", step->at % 5 != 0 ? 0 : 5 },
				.if_version = step->at % 7 == 0 ? step->value : 0 };

	(void)corral_add(corral, key, &item, &op, NULL);
}

static void replace(const struct corral_key *key)
{
	struct corral_cart *cart;
	struct corral_op op = { .if_version = 0 };

	if (corral_get(corral, key, &cart) < 0)
		return;
	op.if_version = cart->head.version;
	(void)corral_replace(corral, key, cart, &op, NULL);
	corral_cart_free(cart);
}

static void change(const struct step *step)
{
	static const struct corral_text names[] = { { "table", 5 }, { "phone", 5 } };
	struct corral_key key = arena_image_key(step->index);

	switch (step->code % 9) {
	case 0:
		add(&key, step);
		break;
	case 1:
		(void)corral_set_quantity(corral, &key, step->at % 8, step->value % 4, NULL, NULL);
		break;
	case 2:
		(void)corral_remove(corral, &key, step->at % 64, NULL, NULL);
		break;
	case 3:
		(void)corral_set_tax(corral, &key, step->value % (CORRAL_TAX_PPM_MAX + 1), NULL,
				     NULL);
		break;
	case 4:
		(void)corral_set_attribute(corral, &key, &names[step->at % 2],
					   step->value % 2 != 0 ? &names[1] : NULL, NULL, NULL);
		break;
	case 5:
		(void)corral_set_ttl(corral, &key, step->value % 2 != 0 ? 0 : 60000, NULL, NULL);
		break;
	case 6:
		(void)(step->value % 2 != 0 ? corral_clear(corral, &key, NULL, NULL) :
					      corral_checkout(corral, &key, NULL, NULL));
		break;
	case 7:
		(void)corral_drop(corral, &key, NULL, NULL);
		break;
	default:
		replace(&key);
		break;
	}
}

static void end_views(void)
{
	while (view_count > 0)
		end_view(&views[--view_count]);
}

static void begin_view(uint32_t number)
{
	struct corral_key key = arena_image_key(number);

	if (view_count < VIEWS_MAX && corral_read_begin(corral, &key, &views[view_count]) == 0)
		read_view(&views[view_count++]);
}

/* Another handle attaches and detaches. */
static void second_handle(const struct step *step)
{
	struct corral *first = corral;

	if (corral_open(image.directory, step->value % 2 != 0 ? CORRAL_OBSERVE : 0, &corral) == 0) {
		(void)corral_set_patience(corral, 0);
		change(step);
		corral_close(corral);
	}
	corral = first;
}

static void call(const struct step *step)
{
	struct corral_key key = arena_image_key(step->index);
	struct actor *actor;
	uint64_t version;

	if (handle_actor(corral, &actor) < 0)
		return;
	switch (step->region % 16) {
	case 0:
		read_cart(step->index);
		break;
	case 1:
		list_carts();
		read_stats();
		break;
	case 2:
		(void)expire_slots(actor, 0, IMAGE_MAX_CARTS);
		break;
	case 3:
		(void)block_reclaim_all(actor);
		break;
	case 4:
		(void)alive_bury_all(&corral->arena, &corral->share->life, repair_process);
		break;
	case 5:
		(void)block_scavenge(actor);
		break;
	case 6:
		(void)grace_advance(actor, grace_start_poll(&corral->arena));
		break;
	case 7:
		(void)corral_leave_thread(corral);
		break;
	case 8:
		begin_view(step->index);
		break;
	case 9:
		end_views();
		break;
	case 10:
		(void)corral_wait(corral, &key, step->value, 0, NULL, &version);
		break;
	case 11:
		second_handle(step);
		break;
	default:
		change(step);
		break;
	}
}

/* ---------------------------------------------------------------- the whole */

static void attach(void)
{
	look_from_outside(true);
	salvage();
	must(corral == NULL);
	if (corral_open(image.directory, 0, &corral) == 0)
		must(corral_set_patience(corral, 0) == 0);
}

static void run_steps(struct input *input)
{
	bool attached = false;

	for (int i = 0; i < STEPS_MAX && input->left > 0; i++) {
		struct step step = { .code = (uint8_t)input_number(input, 1),
				     .region = (uint8_t)input_number(input, 1),
				     .index = (uint16_t)input_number(input, 2),
				     .at = (uint16_t)input_number(input, 2),
				     .value = (uint32_t)input_number(input, 4) };
		if (step.code < CALL) {
			damage_do(&image, &step, &damage);
			continue;
		}
		if (!attached)
			attach();
		attached = true;
		if (corral == NULL)
			return;
		call(&step);
	}
	if (!attached)
		attach();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	if (image.pristine == NULL)
		arena_image_make(&image);
	arena_image_restore(&image);
	damage = (struct damage){ 0 };
	run_steps(&input);
	if (corral != NULL) {
		end_views();
		list_carts();
		for (uint32_t number = 0; number < IMAGE_KEYS; number++)
			read_cart(number);
		if (!damage.elsewhere)
			others_are_well();
		corral_close(corral);
		corral = NULL;
		look_from_outside(false);
	}
	return 0;
}
