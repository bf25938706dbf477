/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_arguments.c: typed text and user files: numbers, money, times and sizes, whole command lines
 * of `corral`, and order files of `corral-bench`.
 *
 * The input: a byte that selects one of these, then the text; the words of a command line end in
 * NUL or newline.
 *
 * Besides not crashing: a refused text leaves the result unchanged; an accepted one is within its
 * limits, and reads back the same after it was written out.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#include "common/parse.h"
#include "replay/orders.h"
#include "tool.h"

#define WORDS_MAX 16
#define TEXT_MAX 65536
#define UNTOUCHED 0x5a5a5a5a5a5a5a5aull

/* -------------------------------------------------------------- single texts */

static void money(const char *text)
{
	char shown[FORMAT_MAX];
	int64_t cents = (int64_t)UNTOUCHED;
	int64_t again = 0;

	for (int negative = 0; negative < 2; negative++) {
		if (parse_money(text, negative != 0, &cents) != NULL) {
			must(cents == (int64_t)UNTOUCHED);
			continue;
		}
		must(negative != 0 || cents >= 0);
		must(parse_money(format_money(cents, shown), true, &again) == NULL &&
		     again == cents);
		cents = (int64_t)UNTOUCHED;
	}
}

static void percent(const char *text)
{
	char shown[FORMAT_MAX];
	uint32_t ppm = 0;
	uint32_t again = 0;

	if (parse_percent(text, &ppm) != NULL)
		return;
	must(ppm <= CORRAL_TAX_PPM_MAX);
	must(parse_percent(format_percent(ppm, shown), &again) == NULL && again == ppm);
}

static void numbers(const char *text)
{
	char shown[FORMAT_MAX];
	uint64_t number = UNTOUCHED;
	uint64_t again = 0;
	size_t size = 0;

	if (parse_number(text, 7, 1ull << 40, &number) == NULL) {
		must(number >= 7 && number <= 1ull << 40);
		snprintf(shown, sizeof(shown), "%llu", (unsigned long long)number);
		must(parse_number(shown, 0, UINT64_MAX, &again) == NULL && again == number);
	} else {
		must(number == UNTOUCHED);
	}
	if (parse_duration(text, 100, 86400000, &number) == NULL)
		must(number >= 100 && number <= 86400000);
	if (parse_duration(text, 0, UINT64_MAX, &number) == NULL)
		must(strlen(format_duration((int64_t)number, shown)) < FORMAT_MAX);
	if (parse_seconds(text, 1, 60000, &number) == NULL)
		must(number >= 1 && number <= 60000);
	if (parse_size(text, 4096, 252ull << 30, &number) == NULL) {
		must(number >= 4096 && number <= 252ull << 30);
		must(strlen(format_bytes(number, shown)) < FORMAT_MAX);
	}
	must(strlen(format_time((int64_t)number, shown)) < FORMAT_MAX);
	if (parse_text(text, 1, 128, &size) == NULL)
		must(size >= 1 && size <= 128 && strlen(text) == size);
}

/* ------------------------------------------------------------- command lines */

static void check_text(struct corral_text text, size_t most)
{
	must(text.size <= most && (text.size == 0 || memchr(text.data, 0, text.size) == NULL));
}

static void check_call(const struct call *call)
{
	must((call->command->required & HAS(OPTION_ITEM)) == 0 || call->item.menu_item_id.size > 0);
	must((call->command->options & HAS(OPTION_JSON)) != 0 || !call->json);
	must(!call->json || !call->metrics);
	check_text(call->key.restaurant_id, CORRAL_ID_MAX);
	check_text(call->key.session_id, CORRAL_ID_MAX);
	check_text(call->op.id, CORRAL_ID_MAX);
	check_text(call->name, CORRAL_ATTRIBUTE_NAME_MAX);
	check_text(call->value, CORRAL_ATTRIBUTE_VALUE_MAX);
	check_text(call->item.menu_item_id, CORRAL_WORDS_MAX);
	must(call->item.modifier_count <= CORRAL_MODIFIERS_MAX &&
	     call->tax_ppm <= CORRAL_TAX_PPM_MAX);
	must(call->item.quantity >= 1 && call->item.quantity <= CORRAL_QUANTITY_MAX);
}

/* The first word is the command. */
static void command_line(char *text, size_t size)
{
	static struct call call;
	char *words[WORDS_MAX + 1] = { NULL };
	int count = 0;
	bool go;

	for (size_t i = 0; i < size && count < WORDS_MAX; i += strlen(text + i) + 1)
		words[count++] = text + i;
	memset(&call, 0, sizeof(call));
	call.item.quantity = 1;
	call.item.modifiers = call.modifiers;
	call.command = count > 0 ? command_find(words[0]) : NULL;
	if (call.command == NULL)
		return;
	if (options_read(count, words, &call, &go) == EXIT_DONE && go)
		check_call(&call);
}

/* ---------------------------------------------------------------- order files */

static void one_row(const char *text, size_t size)
{
	char why[ORDERS_WHY_BYTES] = "";
	char slug[ORDERS_NAME_MAX];
	struct order_row row;

	if (order_row_parse(text, size, &row, why) != 0) {
		must(why[0] != '\0');
		return;
	}
	must(row.quantity >= 1 && row.unit_price_cents * row.quantity == row.total_cents);
	must(row.modifier_count <= CORRAL_MODIFIERS_MAX && row.order_id.size <= CORRAL_ID_MAX);
	size_t length = order_slug(row.item_name, slug);
	must(length >= 1 && length <= ORDERS_NAME_MAX);
}

static void check_orders(const struct orders *orders)
{
	struct order_row row;
	uint32_t lines = 0;

	for (uint32_t i = 0; i < orders->order_count; i++) {
		uint32_t rank = 0;
		must(orders_find(orders, orders->orders[i].id) == i);
		for (uint32_t line = orders->orders[i].first_line; line != ORDERS_NONE;
		     line = orders->lines[line].next) {
			must(orders->lines[line].order == i && orders->lines[line].rank == rank++);
			orders_row(orders, line, &row);
		}
		must(rank == orders->orders[i].line_count);
		lines += rank;
	}
	must(lines == orders->line_count);
}

static void order_file(const char *text, size_t size)
{
	struct orders orders;
	char path[64];
	int fd = memfd_create("orders", MFD_CLOEXEC);

	must(fd >= 0 && write(fd, text, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (orders_read(path, &orders) == BENCH_DONE) {
		check_orders(&orders);
		orders_free(&orders);
	}
	close(fd);
}

/* ------------------------------------------------------------------ the whole */

/* The messages and --help are not tested here. */
static void be_silent(void)
{
	static FILE *nothing;

	if (nothing == NULL) {
		nothing = fopen("/dev/null", "we");
		must(nothing != NULL);
	}
	stdout = stderr = nothing;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *out = stdout;
	FILE *err = stderr;

	if (size < 1 || size > TEXT_MAX)
		return 0;
	char *text = malloc(size); /* the text is one byte shorter than the input; a NUL replaces
				      its first byte */
	must(text != NULL);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	be_silent();
	switch (data[0] % 4) {
	case 0:
		money(text);
		percent(text);
		numbers(text);
		break;
	case 1:
		for (size_t i = 0; i + 1 < size; i++)
			text[i] = (char)(text[i] == '\n' ? '\0' : text[i]);
		command_line(text, size - 1);
		break;
	case 2:
		one_row(text, size - 1);
		break;
	default:
		order_file(text, size - 1);
		break;
	}
	stdout = out;
	stderr = err;
	free(text);
	return 0;
}
