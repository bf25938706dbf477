/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_journal.c: bytes that may be the files of a journal, read back as recovery does.
 *
 * The input is a list of pieces, each { kind, parameters }, which make up to FILES_MAX files: a
 * file's head, a record with a cart or with bytes of the input, raw bytes, bytes to be damaged.
 * Checksums are corrected unless a piece says otherwise, so that the code behind them is reached.
 * recover_arena() then reads the files; this program takes the carts that would go into the new
 * arena.
 *
 * Besides not crashing: the answer is 1, 0 or -errno; each cart handed on validates, and each
 * slot's cart is handed on at most once.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#include "cart/cart.h"
#include "cart_seal.h"
#include "journal_file.h"
#include "rebuild.h"
#include "recover.h"

#define FILES_MAX 4u
#define FILE_BYTES (1u << 16)
#define CARTS 8u
#define PIECES_MAX 64

enum piece { HEAD, CART, RECORD, RAW, DAMAGE, AGAIN, PIECE_KINDS };

struct writer {
	uint8_t bytes[FILE_BYTES];
	size_t size;
	uint64_t nonce;
	uint32_t number;
};

static char directory[64];
static int journal_fd = -1;
static struct agent_options options;
static struct agent agent = { .options = &options };
static uint32_t carts_taken;

/* ------------------------------------------------------------------ the new arena */

static int take(void *context, uint32_t slot, const void *cart, size_t size, uint64_t idle_ns)
{
	(void)slot;
	(void)context;
	if (cart_validate(cart, size) < 0)
		return -EUCLEAN;
	if (idle_ns == SALVAGE_OVER)
		return 1; /* its time was up: it is told, and not taken */
	must(idle_ns <= INT64_MAX);
	carts_taken++;
	return 0;
}

static void no_finding(void *context, const char *line)
{
	(void)context;
	(void)line;
}

int rebuild_from(struct agent *to, const struct rebuild_source *source,
		 void (*tell)(const char *line), const char *former, char aside[REBUILD_NAME_BYTES],
		 struct salvage_totals *ret_totals, char *why)
{
	static struct bucket buckets[4];
	static struct arena_header header;
	static struct feed_entry feed[4];
	static struct feed_end ends[4];
	struct arena arena = { .header = &header,
			       .feed = feed,
			       .feed_mask = COUNT(feed) - 1,
			       .ends = ends,
			       .ends_mask = COUNT(ends) - 1,
			       .buckets = buckets,
			       .bucket_mask = COUNT(buckets) - 1 };
	struct arena_settings settings;

	(void)to;
	(void)former;
	(void)tell;
	(void)why;
	aside[0] = '\0';
	carts_taken = 0;
	source->settings(source->context, &settings);
	must(settings.max_carts <= ARENA_CARTS_MAX);
	int r = source->carts(source->context, take, no_finding, NULL, ret_totals);
	must(carts_taken <= settings.max_carts);
	must(r < 0 || carts_taken == ret_totals->kept);
	memset(buckets, 0, sizeof(buckets));
	memset(&header, 0, sizeof(header));
	arena.slots = calloc(settings.max_carts, sizeof(*arena.slots));
	arena.dirty = calloc((settings.max_carts + 63) / 64, sizeof(*arena.dirty));
	must(arena.slots != NULL && arena.dirty != NULL && source->slots <= settings.max_carts);
	source->floors(source->context, &arena);
	free(arena.slots);
	free(arena.dirty);
	must(buckets[0].version_floor <= VERSION_MAX);
	must(r < 0 || (header.version_epoch > 0 && header.version_epoch <= VERSION_EPOCH_MAX));
	return r;
}

/* ------------------------------------------------------------------ the files */

static void begin(void)
{
	const char *place = getenv("TMPDIR");

	snprintf(directory, sizeof(directory), "%s/fuzz-journal.XXXXXX",
		 place != NULL && strlen(place) < 40 ? place : "/tmp");
	must(mkdtemp(directory) != NULL);
	agent.dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(agent.dir_fd >= 0);
	journal_fd = journal_open_directory(agent.dir_fd, true);
	must(journal_fd >= 0);
	log_threshold = LOG_ERROR;
}

static void end_file(struct writer *w)
{
	char name[JOURNAL_NAME_BYTES];

	if (w->number == 0)
		return;
	journal_name(w->number, name);
	int fd = openat(journal_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(fd >= 0 && write(fd, w->bytes, w->size) == (ssize_t)w->size);
	close(fd);
}

static void put(struct writer *w, const void *bytes, size_t size)
{
	if (size > sizeof(w->bytes) - w->size)
		size = sizeof(w->bytes) - w->size;
	memcpy(w->bytes + w->size, bytes, size);
	w->size += size;
}

static void put_head(struct writer *w, struct input *input)
{
	static const uint32_t most[] = {
		CARTS, CARTS, 0, 1, 100000, ARENA_CARTS_MAX + 1, UINT32_MAX
	};
	uint8_t flags = (uint8_t)input_number(input, 1);
	struct journal_head head = { .magic = JOURNAL_MAGIC,
				     .format = JOURNAL_FORMAT,
				     .byte_order = LAYOUT_BYTE_ORDER,
				     .number = w->number + 1,
				     .nonce = w->number * 0x9e3779b97f4a7c15ull,
				     .arena_bytes = (flags & 1) != 0 ? 1ull << 60 : 16 << 20,
				     .ttl_ns = (flags & 2) != 0 ? UINT64_MAX : 1000000000ull,
				     .max_carts = most[flags / 16 % COUNT(most)] };

	end_file(w);
	w->number++;
	w->size = 0;
	memset(head.lineage, flags & 4, sizeof(head.lineage));
	uint64_t sum = journal_head_sum(&head);
	w->nonce = head.nonce;
	head.sum = sum ^ ((flags & 8) / 8);
	put(w, &head, sizeof(head));
	head.sum = (flags & 4) != 0 ? sum : head.sum;
	put(w, &head, sizeof(head));
}

/* size: the payload's true size; the record may claim another. */
static void put_record(struct writer *w, struct journal_record *record, const void *payload,
		       size_t size)
{
	static const uint8_t padding[8];

	record->check = journal_record_check(record, w->nonce, w->size);
	if (record->size <= size)
		record->sum = journal_record_sum(record, payload, w->nonce, w->size);
	put(w, record, sizeof(*record));
	put(w, payload, size);
	put(w, padding, (8 - size % 8) % 8);
}

static void put_cart(struct writer *w, struct input *input)
{
	struct cart_change change = { .one = { .kind = CART_SET_TAX, .tax_ppm = 1 },
				      .key = { { "r", 1 },
					       { "session", 1 + input_number(input, 1) % 7 } },
				      .hash = 1 + input_number(input, 1) % 4,
				      .seed = 1,
				      .now_ms = 1700000000000 };
	uint8_t flags = (uint8_t)input_number(input, 1);
	struct cart_plan plan;

	change.first_version = (flags & 1) != 0 ? input_number(input, 8) : 1u + flags / 16u;
	struct journal_record record = { .kind = JOURNAL_CART,
					 .slot = (uint32_t)input_number(input, 1) % (CARTS + 1),
					 .time_ns = (int64_t)input_number(
						 input, (flags & 2) != 0 ? 8 : 4) };
	if (cart_plan(NULL, 0, &change, &plan) != 0)
		return;
	uint8_t *cart = malloc(plan.size);
	must(cart != NULL);
	cart_build(NULL, &change, &plan, cart);
	if ((flags & 4) != 0)
		cart[input_number(input, 2) % plan.size] ^= 1;
	if ((flags & 8) != 0)
		cart_seal(cart, plan.size);
	record.size = (uint32_t)plan.size;
	put_record(w, &record, cart, plan.size);
	free(cart);
}

static void put_any(struct writer *w, struct input *input)
{
	uint8_t flags = (uint8_t)input_number(input, 1);
	struct journal_record record = { .kind = (uint16_t)(flags % 8),
					 .slot = (uint32_t)input_number(input,
									(flags & 8) != 0 ? 4 : 1),
					 .time_ns = (int64_t)input_number(input, 4),
					 .reserved = (uint16_t)((flags & 16) / 16) };
	size_t size = input_number(input, 1) % 64;

	if (size > input->left)
		size = input->left;
	record.size = (uint32_t)((flags & 32) != 0 ? input_number(input, 4) : size);
	if (size > input->left)
		size = input->left;
	put_record(w, &record, input->at, size);
	input->at += size;
	input->left -= size;
}

static void put_raw(struct writer *w, struct input *input)
{
	size_t size = input_number(input, 1);

	if (size > input->left)
		size = input->left;
	put(w, input->at, size);
	input->at += size;
	input->left -= size;
}

static void put_piece(struct writer *w, struct input *input)
{
	switch ((enum piece)(input_number(input, 1) % PIECE_KINDS)) {
	case HEAD:
		if (w->number < FILES_MAX)
			put_head(w, input);
		break;
	case CART:
		put_cart(w, input);
		break;
	case RECORD:
		put_any(w, input);
		break;
	case RAW:
		put_raw(w, input);
		break;
	case DAMAGE:
		if (w->size > 0)
			w->bytes[input_number(input, 2) % w->size] ^=
				(uint8_t)(1 + input_number(input, 1));
		break;
	case AGAIN: /* an earlier record again: it is not valid at another offset */
		if (w->size > 0)
			put(w, w->bytes, input_number(input, 2) % w->size);
		break;
	case PIECE_KINDS:
		break;
	}
}

/* Remove the files that were kept of a damaged journal. */
static void remove_kept(void)
{
	char name[64];

	for (uint32_t number = 1; number <= FILES_MAX; number++) {
		snprintf(name, sizeof(name), JOURNAL_DIRECTORY ".damaged.0/%012u", number);
		(void)unlinkat(agent.dir_fd, name, 0);
	}
	(void)unlinkat(agent.dir_fd, JOURNAL_DIRECTORY ".damaged.0", AT_REMOVEDIR);
}

/* Undo the setting aside of a journal that no arena could be made of. */
static void put_back(void)
{
	struct dirent **entries;
	struct stat st;

	remove_kept();
	if (fstatat(agent.dir_fd, JOURNAL_DIRECTORY, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	int count = scandir(directory, &entries, NULL, alphasort);
	must(count == 3 &&
	     strncmp(entries[2]->d_name, JOURNAL_DIRECTORY, strlen(JOURNAL_DIRECTORY)) == 0);
	must(renameat(agent.dir_fd, entries[2]->d_name, agent.dir_fd, JOURNAL_DIRECTORY) == 0);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct writer writer;
	struct input input = { data, size };
	char why[REASON_BYTES] = "";
	char name[JOURNAL_NAME_BYTES];

	if (journal_fd < 0)
		begin();
	writer.size = 0;
	writer.number = 0;
	put_head(&writer, &input);
	for (int i = 0; i < PIECES_MAX && input.left > 0; i++)
		put_piece(&writer, &input);
	end_file(&writer);
	options.salvage = size % 2 != 0;
	int r = recover_arena(&agent, why);
	must(r <= 1 && r > -4096);
	for (uint32_t number = 1; number <= FILES_MAX + 1; number++) { /* one is the recovery's */
		journal_name(number, name);
		(void)unlinkat(journal_fd, name, 0);
	}
	put_back();
	return 0;
}
