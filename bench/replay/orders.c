/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * orders.c: read an order file, and check it as a whole. See orders.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orders.h"

#define COPY_BYTES 65536u
#define FIRST_ROOM 1024u

static const char header[] = "order_id\tquantity\titem_name\tchoice_description\titem_total_price";

/* ------------------------------------------------------------------- text */

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0)
			return -errno;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Copy the contents of fd, at most ORDERS_BYTES_MAX, into the memory file. */
static int copy_text(int fd, struct orders *orders)
{
	char buffer[COPY_BYTES];
	ssize_t n;
	int r;

	while ((n = read(fd, buffer, sizeof(buffer))) != 0) {
		if (n < 0)
			return -errno;
		orders->size += (size_t)n;
		if (orders->size > ORDERS_BYTES_MAX)
			return -EFBIG;
		r = write_all(orders->fd, buffer, (size_t)n);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_text(const char *path, struct orders *orders)
{
	int r, fd = open(path, O_RDONLY | O_CLOEXEC);
	void *text;

	if (fd < 0)
		return -errno;
	orders->fd = memfd_create("orders", MFD_CLOEXEC);
	r = orders->fd < 0 ? -errno : copy_text(fd, orders);
	close(fd);
	if (r < 0 || orders->size == 0)
		return r;
	text = mmap(NULL, orders->size, PROT_READ, MAP_SHARED, orders->fd, 0);
	if (text == MAP_FAILED)
		return -errno;
	orders->text = text;
	return 0;
}

/* ------------------------------------------------------------------ index */

/* The FNV-1a hash of an id. */
static uint32_t hash_id(struct corral_text id)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < id.size; i++)
		hash = (hash ^ (unsigned char)id.data[i]) * 16777619u;
	return hash ^ hash >> 15;
}

static bool same_text(struct corral_text a, struct corral_text b)
{
	return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* The place in the table where the id's order is, or would be inserted. */
static uint32_t *find_place(const struct orders *orders, struct corral_text id)
{
	uint32_t i = hash_id(id) & orders->table_mask;

	while (orders->table[i] != 0 && !same_text(orders->orders[orders->table[i] - 1].id, id))
		i = (i + 1) & orders->table_mask;
	return &orders->table[i];
}

uint32_t orders_find(const struct orders *orders, struct corral_text id)
{
	return *find_place(orders, id) - 1;
}

/* Make room for one more line and order; the table is kept at most half full. */
static int make_room(struct orders *orders)
{
	uint32_t room = orders->line_room == 0 ? FIRST_ROOM : orders->line_room * 2;
	struct order_line *lines;
	struct order *all;
	uint32_t *table;

	if (orders->line_count < orders->line_room)
		return 0;
	if (room > INT32_MAX / 2)
		return -EFBIG;
	lines = reallocarray(orders->lines, room, sizeof(*lines));
	if (lines != NULL)
		orders->lines = lines;
	all = reallocarray(orders->orders, room, sizeof(*all));
	if (all != NULL)
		orders->orders = all;
	table = calloc((size_t)room * 2, sizeof(*table));
	if (lines == NULL || all == NULL || table == NULL) {
		free(table);
		return -ENOMEM;
	}
	free(orders->table);
	orders->table = table;
	orders->table_mask = room * 2 - 1;
	orders->line_room = room;
	for (uint32_t i = 0; i < orders->order_count; i++)
		*find_place(orders, orders->orders[i].id) = i + 1;
	return 0;
}

/* ------------------------------------------------------------------ lines */

static int take_line(struct orders *orders, size_t at, size_t size, uint32_t number, char *why)
{
	struct order_line *line;
	struct order *order;
	struct order_row row;
	uint32_t *place;
	int r;

	if (size > ORDERS_LINE_MAX) {
		snprintf(why, ORDERS_WHY_BYTES, "the line has %zu bytes (at most %u)", size,
			 ORDERS_LINE_MAX);
		return -EINVAL;
	}
	r = order_row_parse(orders->text + at, size, &row, why);
	if (r == 0)
		r = make_room(orders);
	if (r < 0)
		return r;
	place = find_place(orders, row.order_id);
	if (*place == 0) {
		orders->orders[orders->order_count++] =
			(struct order){ .id = row.order_id, .first_line = orders->line_count };
		*place = orders->order_count;
	}
	order = &orders->orders[*place - 1];
	if (order->line_count == CORRAL_LINES_MAX) {
		snprintf(why, ORDERS_WHY_BYTES, "order %.*s has more than %d lines",
			 (int)order->id.size, order->id.data, CORRAL_LINES_MAX);
		return -EINVAL;
	}
	line = &orders->lines[orders->line_count];
	*line = (struct order_line){ .at = at,
				     .size = (uint32_t)size,
				     .number = number,
				     .order = *place - 1,
				     .rank = order->line_count,
				     .next = ORDERS_NONE,
				     .quantity = row.quantity,
				     .total_cents = row.total_cents };
	if (order->line_count++ > 0)
		orders->lines[order->last_line].next = orders->line_count;
	order->last_line = orders->line_count++;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\r' || c == '\n' || c == '\t';
}

/* Parse all lines. On an error *ret_number is the number of the line that was refused. */
static int take_lines(struct orders *orders, uint32_t *ret_number, char *why)
{
	size_t at = 0, end, size = orders->size;
	int r = 0;

	while (size > 0 && is_blank(orders->text[size - 1]))
		size--;
	for (*ret_number = 1; at < size && r == 0; at = end + 1) {
		const char *newline = memchr(orders->text + at, '\n', size - at);
		size_t length;

		end = newline != NULL ? (size_t)(newline - orders->text) : size;
		for (length = end - at; length > 0; length--)
			if (orders->text[at + length - 1] != '\r' &&
			    orders->text[at + length - 1] != ' ')
				break;
		if (*ret_number > 1) {
			r = take_line(orders, at, length, *ret_number, why);
		} else if (length != sizeof(header) - 1 ||
			   memcmp(orders->text + at, header, length) != 0) {
			snprintf(why, ORDERS_WHY_BYTES,
				 "not the header of an order file (order_id, quantity, item_name, "
				 "choice_description, item_total_price, separated by tabs)");
			r = -EINVAL;
		}
		if (r == 0)
			(*ret_number)++;
	}
	if (r == 0 && orders->line_count == 0) {
		snprintf(why, ORDERS_WHY_BYTES,
			 size == 0 ? "the file is empty" : "the file has no orders");
		r = -EINVAL;
	}
	return r;
}

enum bench_exit orders_read(const char *path, struct orders *ret_orders)
{
	char why[ORDERS_WHY_BYTES] = "";
	uint32_t number = 0;
	int r;

	memset(ret_orders, 0, sizeof(*ret_orders));
	ret_orders->fd = -1;
	r = read_text(path, ret_orders);
	if (r < 0) {
		bench_say("%s: %s", path, strerror(-r));
	} else {
		r = take_lines(ret_orders, &number, why);
		if (r < 0)
			bench_say("%s:%u: %s", path, number, why[0] != '\0' ? why : strerror(-r));
	}
	if (r < 0)
		orders_free(ret_orders);
	return r < 0 ? BENCH_USAGE : BENCH_DONE;
}

void orders_row(const struct orders *orders, uint32_t line, struct order_row *ret_row)
{
	char why[ORDERS_WHY_BYTES];
	int r = order_row_parse(orders->text + orders->lines[line].at, orders->lines[line].size,
				ret_row, why);

	assert(r == 0);
	(void)r;
}

void orders_free(struct orders *orders)
{
	if (orders->text != NULL)
		munmap((void *)(uintptr_t)orders->text, orders->size);
	if (orders->fd >= 0)
		close(orders->fd);
	free(orders->lines);
	free(orders->orders);
	free(orders->table);
	memset(orders, 0, sizeof(*orders));
	orders->fd = -1;
}
