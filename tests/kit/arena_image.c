/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arena_image.c: see arena_image.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena_image.h"

#include "api/handle.h"
#include "base/hash.h"
#include "cart_seal.h"
#include "memory/allocate.h"
#include "memory/block.h"
#include "store/slot.h"
#include "sync/lock.h"

#define IMAGE_BYTES ARENA_BYTES_MIN
#define IMAGE_TTL_NS 3600000000000ull
#define IMAGE_HASH_SEED 0x5eedull
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T(literal) ((struct corral_text){ (literal), sizeof(literal) - 1 })

static struct {
	char directory[64];
	pid_t maker;
} made;

static void give_up(int line, const char *what)
{
	fprintf(stderr, "arena_image.c:%d: must hold: %s\n", line, what);
	abort();
}

#define must(condition) ((condition) ? (void)0 : give_up(__LINE__, #condition))

/* ------------------------------------------------------------------- carts */

struct corral_key arena_image_key(uint32_t number)
{
	static const struct corral_text sessions[IMAGE_KEYS] = {
		T("a"), T("voice-7"), T("c"), T("d"), T("e"), T("f"),
		T("g"), T("h"),       T("i"), T("j"), T("k"), T("caf\xc3\xa9")
	};

	number %= IMAGE_KEYS;
	return (struct corral_key){ number % 2 == 0 ? T("r-1") : T("restaurant-with-a-longer-name"),
				    sessions[number] };
}

static void add(struct corral *corral, uint32_t cart, uint32_t number, bool rich)
{
	static const struct corral_modifier modifiers[] = { { T("cheese"), 150 },
							    { T("small"), -200 } };
	static const struct corral_extra extras[] = { { T("kitchen"), "\x92\x01\xa1y", 4 } };
	struct corral_key key = arena_image_key(cart);
	static uint32_t operations;
	char id[32], operation[32];
	int size = snprintf(id, sizeof(id), "item-%u", number);
	int operation_size = snprintf(operation, sizeof(operation), "op-%u", operations++);
	struct corral_item item = { .menu_item_id = { id, (size_t)size },
				    .name = T("Burger"),
				    .unit_price_cents = 899 + number,
				    .quantity = 1 + number % 3 };
	struct corral_op op = { .id = { operation, rich ? (size_t)operation_size : 0 } };

	if (rich) {
		item.notes = T("well done");
		item.modifiers = modifiers;
		item.modifier_count = COUNT(modifiers);
		item.extras = extras;
		item.extra_count = COUNT(extras);
	}
	must(corral_add(corral, &key, &item, &op, NULL) == 0);
}

/* Make a cart of each kind; the keys from IMAGE_CARTS on have none. */
static void make_carts(struct corral *corral)
{
	const struct corral_text name = T("table"), value = T("7");
	struct corral_key key;

	for (uint32_t cart = 0; cart < IMAGE_KEYS; cart++)
		add(corral, cart, 0, false);
	for (uint32_t number = 0; number < 3; number++)
		add(corral, 1, number, true);
	for (uint32_t number = 0; number < 16; number++) /* enough for a large block */
		add(corral, 3, number, number % 4 == 0);
	for (uint32_t number = 0; number < 70; number++) /* more operations than a cart remembers */
		add(corral, 4, number % 2, true);
	key = arena_image_key(1);
	must(corral_set_attribute(corral, &key, &name, &value, NULL, NULL) == 0);
	must(corral_set_tax(corral, &key, 82500, NULL, NULL) == 0);
	key = arena_image_key(5);
	must(corral_checkout(corral, &key, NULL, NULL) == 0);
	key = arena_image_key(IMAGE_OVER);
	must(corral_set_ttl(corral, &key, 60000, NULL, NULL) == 0);
	key = arena_image_key(7);
	must(corral_clear(corral, &key, NULL, NULL) == 0);
	for (uint32_t cart = IMAGE_CARTS; cart < IMAGE_KEYS; cart++) {
		key = arena_image_key(cart);
		must(corral_drop(corral, &key, NULL, NULL) == 0);
	}
}

static void find_carts(struct arena_image *image)
{
	for (uint32_t cart = 0; cart < IMAGE_CARTS; cart++) {
		struct corral_key key = arena_image_key(cart);
		struct image_cart *to = &image->carts[cart];
		struct found found;

		must(slot_find(&image->arena, slot_hash(&image->arena, &key), &key, &found) == 0);
		to->slot = found.slot;
		to->ref = found.slot->current;
		to->bytes = (uint8_t *)(arena_block(&image->arena, to->ref) + 1);
		to->size = found.cart->size;
	}
	struct slot *over = image->carts[IMAGE_OVER].slot;
	over->lease = lease_of(ns_add(lease_touched_ns(over->lease), 0ull - IMAGE_TTL_NS), 0);
}

/* ---------------------------------------------------------- the two processes */

/* Copy the file as it is now; the second process is dead in this copy. */
static void take_picture(struct arena_image *image, struct corral *dead)
{
	struct corral_key key = arena_image_key(0);
	struct slot *locked =
		&dead->arena.slots[image->carts[IMAGE_LOCKED].slot - image->arena.slots];
	struct corral_view view;
	struct actor *actor;

	must(corral_read_begin(dead, &key, &view) ==
	     0); /* so everything retired from here on stays retired */
	for (uint32_t number = 0; number < 8; number++)
		add(dead, 1, number % 2, true);
	must(handle_actor(dead, &actor) == 0);
	image->dead_thread = actor->name - 1;
	slot_want(actor, NULL, locked);
	must(lock_take(actor, &locked->lock, LOCK_SLOT) == 0);
	must(block_alloc(actor, 400) == 0);
	find_carts(image);
	image->now_ns = arena_now_ns(&image->arena);
	memcpy(image->pristine, image->arena.base, image->arena.bytes);
	block_free_hand(actor);
	lock_drop(actor, &locked->lock, LOCK_SLOT);
	must(corral_read_end(&view) == 0);
}

static void remove_made(void)
{
	char command[96];

	if (made.maker != getpid())
		return;
	snprintf(command, sizeof(command), "rm -rf '%.63s'", made.directory);
	(void)!system(command);
}

static void make_empty(struct arena_image *image)
{
	const struct arena_settings settings = { .arena_bytes = IMAGE_BYTES,
						 .max_carts = IMAGE_MAX_CARTS,
						 .ttl_ns = IMAGE_TTL_NS };
	char why[ARENA_WHY_BYTES] = "";
	struct life life;
	int dir_fd;

	snprintf(image->directory, sizeof(image->directory), "%s/corral-image-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(image->directory) != NULL);
	memcpy(made.directory, image->directory, sizeof(made.directory));
	made.maker = getpid();
	must(atexit(remove_made) == 0);
	must(arena_open_directory(image->directory, &dir_fd, why) == 0);
	must(arena_create(dir_fd, &settings, why) == 0);
	must(alive_open(dir_fd, true, &life, why) == 0);
	alive_close(&life);
	must(arena_map(dir_fd, false, &image->arena, why) == 0);
	close(dir_fd);
	image->arena.header->hash_seed = IMAGE_HASH_SEED;
	image->arena.hash_seed = IMAGE_HASH_SEED;
	arena_image_seal_header(image);
}

/* Send a byte through a pipe. */
static void tell(int fd)
{
	must(write(fd, "", 1) == 1);
}

static void await(int fd)
{
	char byte;

	must(read(fd, &byte, 1) == 1);
}

/* The first process: it makes the carts, makes one more change when told to, and leaves. */
static _Noreturn void be_first(const struct arena_image *image, int from_fd, int to_fd)
{
	struct corral *corral;

	must(corral_open(image->directory, 0, &corral) == 0);
	make_carts(corral);
	tell(to_fd);
	await(from_fd);
	add(corral, 0, 1,
	    false); /* retired and held back, so the record is left unowned with this block */
	corral_close(corral);
	_exit(0);
}

void arena_image_make(struct arena_image *image)
{
	int to_first[2], from_first[2], status;
	struct corral *dead;

	make_empty(image);
	image->pristine = malloc(image->arena.bytes);
	must(image->pristine != NULL);
	must(pipe(to_first) == 0 && pipe(from_first) == 0);
	pid_t first = fork();
	must(first >= 0);
	if (first == 0)
		be_first(image, to_first[0], from_first[1]);
	await(from_first[0]);
	must(corral_open(image->directory, 0, &dead) == 0);
	must(dead->share->life.process == IMAGE_DEAD_PROCESS);
	find_carts(image);
	struct corral_key key = arena_image_key(0);
	struct corral_view view;
	must(corral_read_begin(dead, &key, &view) == 0);
	tell(to_first[1]);
	must(waitpid(first, &status, 0) == first && status == 0);
	for (int i = 0; i < 2; i++) {
		close(to_first[i]);
		close(from_first[i]);
	}
	must(corral_read_end(&view) == 0);
	take_picture(image, dead);
	corral_close(dead);
}

/* ------------------------------------------------------------------ again */

void arena_image_restore(const struct arena_image *image)
{
	struct arena_header *header = image->arena.header;

	memcpy(image->arena.base, image->pristine, image->arena.bytes);
	header->clock_offset_ns =
		ns_add(header->clock_offset_ns,
		       (uint64_t)ns_since(image->now_ns, arena_now_ns(&image->arena)));
}

void arena_image_seal_header(const struct arena_image *image)
{
	uint8_t constant[offsetof(struct arena_header, boot_id)];

	memcpy(constant, image->arena.base, sizeof(constant));
	memset(constant + offsetof(struct arena_header, header_sum), 0, sizeof(uint64_t));
	image->arena.header->header_sum = XXH3_64bits(constant, sizeof(constant));
}

void arena_image_seal_cart(const struct arena_image *image, uint32_t cart)
{
	const struct image_cart *of = &image->carts[cart % IMAGE_CARTS];

	cart_seal(of->bytes, of->size);
}
