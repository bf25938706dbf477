/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * top_text.c: the frames of `corral top` as lines, for the screen and for --batch, and as JSON.
 * Each text that a stranger may have chosen is escaped.
 */
#include "top.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "arena/arena.h"
#include "common/parse.h"
#include "common/text.h"
#include "event.h"
#include "sync/death_log.h"

#define PEOPLE_MAX 256u
#define LOCKS_SHOWN 64u

#define BATCH_COLUMNS 120u

/* ------------------------------------------------------------------ lines */

void top_page_free(struct top_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		free(page->lines[i].text);
	free(page->lines);
	*page = (struct top_page){ 0 };
}

static void put_line(struct top_page *page, enum top_mood mood, char *text)
{
	if (page->count == page->room) {
		page->room = page->room != 0 ? 2 * page->room : 64;
		page->lines =
			must_have(reallocarray(page->lines, page->room, sizeof(*page->lines)));
	}
	page->lines[page->count++] = (struct top_line){ text, mood };
}

void top_put(struct top_page *page, enum top_mood mood, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = must_have(NULL);
	va_end(arguments);
	put_line(page, mood, text);
}

/* A text of strangers, escaped, that fits in so many columns, or ends in an ellipsis. */
static char *fit(const char *text, size_t columns)
{
	char *escaped = must_have(text_escape(text, strlen(text)));
	char *cut = NULL;

	if (text_width(escaped) <= columns)
		return escaped;
	if (asprintf(&cut, "%.*s…", (int)text_fit(escaped, columns - 1), escaped) < 0)
		cut = must_have(NULL);
	free(escaped);
	return cut;
}

/* A cell on the left of its column; padded by columns, not by bytes. */
static void add_left(char *line, const char *cell, size_t columns)
{
	const size_t width = text_width(cell);
	const size_t at = strlen(line);

	snprintf(line + at, TOP_LINE_MAX - at, "%s%*s ", cell,
		 width < columns ? (int)(columns - width) : 0, "");
}

static void add_right(char *line, const char *cell, size_t columns)
{
	const size_t at = strlen(line);

	snprintf(line + at, TOP_LINE_MAX - at, "%*s ", (int)columns, cell);
}

/* ------------------------------------------------------------------ figures */

/* "0", "2.5", "120", "12.3k", "123k", "1.2M" */
static char *format_rate(double rate, char buffer[FORMAT_MAX])
{
	if (rate < 9.95)
		snprintf(buffer, FORMAT_MAX, "%.*f", rate > 0 ? 1 : 0, rate);
	else if (rate < 9999.5)
		snprintf(buffer, FORMAT_MAX, "%.0f", rate);
	else if (rate < 99950)
		snprintf(buffer, FORMAT_MAX, "%.1fk", rate / 1000);
	else if (rate < 999500)
		snprintf(buffer, FORMAT_MAX, "%.0fk", rate / 1000);
	else
		snprintf(buffer, FORMAT_MAX, "%.1fM", rate / 1000000);
	return buffer;
}

/* What the carts on the screen are: how well they are known. */
static void describe_list(const struct top *top, char *text, size_t size)
{
	const uint64_t carts =
		(uint64_t)top->now.totals.carts_open + top->now.totals.carts_checked_out;
	const uint64_t part = carts > 0 ? (uint64_t)top->list_rows * 100 / carts : 100;

	if (!top->listed)
		snprintf(text, size, "making the list: %" PRIu64 "%%", part < 100 ? part : 99);
	else if (top->no_feed)
		snprintf(text, size,
			 "no feed (corral-agent --feed off): listing anew, %" PRIu64 "%%",
			 part < 100 ? part : 99);
	else if (top->list != NULL)
		snprintf(text, size, "events were missed: listing anew, %" PRIu64 "%%",
			 part < 100 ? part : 99);
	else
		text[0] = '\0';
}

static void put_journal(struct top_page *page, const struct top *top)
{
	const struct arena_header *header = inspect_header(top->inspect);
	const int64_t synced_ms = header->journal_synced_ms;
	int64_t since_ms;
	const char *trouble = section_not_durable(top->inspect, &since_ms);
	char lag[FORMAT_MAX] = "never";

	if (header->journal == JOURNAL_MODE_OFF) {
		top_put(page, TOP_PLAIN, "journal off");
		return;
	}
	if (synced_ms > 0)
		format_duration(top->now.wall_ms - synced_ms, lag);
	if (trouble != NULL)
		top_put(page, TOP_BAD, "journal NOT durable: %s; synced %s ago", trouble, lag);
	else
		top_put(page, TOP_PLAIN, "journal %s, synced %s ago, durable",
			header->journal == JOURNAL_MODE_SYNC ? "each change waits for it" :
							       "at intervals",
			lag);
}

static void put_people(struct top_page *page, const struct top *top)
{
	const struct inspect_totals *totals = &top->now.totals;
	char stalled[FORMAT_MAX], last[FORMAT_MAX], line[TOP_LINE_MAX];
	struct death rows[DEATHS_KEPT];
	size_t count = 0;
	int at = snprintf(line, sizeof(line),
			  "people  %u process%s, %u thread%s, %u reading; deaths %" PRIu64,
			  totals->processes, totals->processes == 1 ? "" : "es", totals->threads,
			  plural(totals->threads), totals->readers, top->now.deaths);

	if (inspect_deaths(top->inspect, rows, DEATHS_KEPT, &count) == 0 && count > 0)
		at += snprintf(
			line + at, sizeof(line) - (size_t)at, ", the last %s ago",
			format_duration(top->now.wall_ms - rows[count - 1].repaired_ms, last));
	if (totals->processes_dead > 0)
		at += snprintf(line + at, sizeof(line) - (size_t)at, ", %u not buried",
			       totals->processes_dead);
	if (totals->readers_stalled > 0)
		snprintf(line + at, sizeof(line) - (size_t)at, "; STALLED %u for %s",
			 totals->readers_stalled,
			 format_duration(totals->readers_stalled_ms, stalled));
	top_put(page, totals->readers_stalled + totals->processes_dead > 0 ? TOP_BAD : TOP_PLAIN,
		"%s", line);
}

static void put_latency(struct top_page *page, const struct top *top)
{
	const struct corral_latency *latency = &top->latency;
	const double refused = top->rates.refused;
	char p50[FORMAT_MAX], p99[FORMAT_MAX], p999[FORMAT_MAX], text[FORMAT_MAX],
		times[4 * FORMAT_MAX] = "no changes lately";

	if (latency->changes > 0)
		snprintf(times, sizeof(times), "p50 %s  p99 %s  p99.9 %s",
			 format_ns(corral_latency_ns(latency, 500000), p50),
			 format_ns(corral_latency_ns(latency, 990000), p99),
			 format_ns(corral_latency_ns(latency, 999000), p999));
	top_put(page, TOP_PLAIN, "latency %s; locks held %u, waits %s/s", times,
		top->now.totals.locks_held, format_rate(top->rates.lock_sleeps, text));
	if (refused > 0)
		top_put(page, TOP_BAD, "REFUSED %s changes/s: no room, or a lock held for long",
			format_rate(refused, text));
}

/* Only where there are cursors, or were: the line takes one from the carts. */
static void put_feed(struct top_page *page, const struct top *top)
{
	char ago[FORMAT_MAX], lost[64 + FORMAT_MAX] = "";
	struct corral_cursor cursor;
	struct inspect_feed feed;
	uint64_t lag = 0;

	inspect_feed(top->inspect, &feed);
	for (uint32_t i = 0; i < CORRAL_CURSORS; i++)
		if (inspect_cursor(top->inspect, i, &cursor))
			lag = max_u64(lag, cursor.lag);
	if (feed.ends_lost > 0)
		snprintf(lost, sizeof(lost), "; %" PRIu64 " ends LOST, the last %s ago",
			 feed.ends_lost,
			 format_duration(top->now.wall_ms - feed.ends_lost_ms, ago));
	if (feed.cursors > 0 || feed.ends_lost > 0)
		top_put(page, feed.ends_lost > 0 ? TOP_BAD : TOP_PLAIN,
			"feed    %u cursor%s, at most %" PRIu64 " event%s behind%s", feed.cursors,
			plural(feed.cursors), lag, plural(lag), lost);
}

void top_put_cursors(struct top_page *page, const struct top *top)
{
	struct corral_cursor row;
	struct inspect_feed feed;
	char ago[FORMAT_MAX];

	inspect_feed(top->inspect, &feed);
	top_put(page, TOP_PLAIN, "events %" PRIu64 " to %" PRIu64 ", %" PRIu64 " ends are kept; %s",
		feed.oldest, feed.next, feed.ends,
		feed.on ? "written" : "NOT written: corral-agent --feed off");
	top_put(page, TOP_HEADING, "%-31s %11s %10s %10s  %s", "CURSOR", "NEXT", "BEHIND",
		"OF IT ENDS", "ACKED");
	for (uint32_t i = 0; i < CORRAL_CURSORS; i++)
		if (inspect_cursor(top->inspect, i, &row))
			top_put(page, row.lag > feed.room ? TOP_BAD : TOP_PLAIN,
				"%-31s %11" PRIu64 " %10" PRIu64 " %10" PRIu64 "  %s ago", row.name,
				row.next, row.lag, row.ends,
				format_duration(top->now.wall_ms - row.acked_ms, ago));
	if (feed.cursors == 0)
		top_put(page, TOP_DIM, "none");
}

void top_put_figures(struct top_page *page, const struct top *top, const char *order)
{
	const struct inspect_totals *totals = &top->now.totals;
	const struct top_rates *rates = &top->rates;
	char text[6][FORMAT_MAX], state[128];
	char *directory = fit(top->directory, 40);

	format_time(top->now.wall_ms, text[0]);
	top_put(page, top->corral != NULL && top->now.agent ? TOP_HEADING : TOP_BAD,
		"corral top  %s  %s  %.8sZ", directory,
		top->corral == NULL ? "GONE" :
		top->now.agent      ? "agent runs" :
				      "NO AGENT RUNS",
		strlen(text[0]) > 19 ? text[0] + 11 : text[0]);
	free(directory);
	if (top->corral == NULL) {
		char *gone = fit(top->gone, 200);
		top_put(page, TOP_BAD, "The arena cannot be used; trying again: %s", gone);
		free(gone);
		return;
	}
	top_put(page, TOP_PLAIN, "carts   %u open, %u checked out, %u ending; %u at most",
		totals->carts_open, totals->carts_checked_out, totals->carts_ending,
		inspect_header(top->inspect)->max_carts);
	top_put(page, TOP_PLAIN,
		"per s   changes %s  reads %s  new %s  checkouts %s  dropped %s  expired %s",
		format_rate(rates->changes, text[0]), format_rate(rates->reads, text[1]),
		format_rate(rates->created, text[2]), format_rate(rates->checked_out, text[3]),
		format_rate(rates->dropped, text[4]), format_rate(rates->expired, text[5]));
	put_latency(page, top);
	const uint64_t used = totals->span_bytes - min_u64(totals->free_bytes, totals->span_bytes);
	const uint64_t space =
		inspect_header(top->inspect)->arena_bytes -
		min_u64(totals->fixed_bytes, inspect_header(top->inspect)->arena_bytes);
	const uint64_t percent = space / 100 > 0 ? used / (space / 100) : 0;
	top_put(page, percent >= 90 ? TOP_BAD : TOP_PLAIN,
		"memory  %s of %s (%" PRIu64 "%%); waits to be freed %s, held back %s",
		format_bytes(used, text[0]), format_bytes(space, text[1]), percent,
		format_bytes(totals->retired_bytes, text[2]),
		format_bytes(totals->held_back_bytes, text[3]));
	put_journal(page, top);
	put_people(page, top);
	put_feed(page, top);
	describe_list(top, state, sizeof(state));
	top_put(page, state[0] != '\0' ? TOP_BAD : TOP_DIM, "%zu cart%s by %s%s%s",
		top_model_rows(top->model), plural(top_model_rows(top->model)), order,
		state[0] != '\0' ? "; " : "", state);
}

/* ------------------------------------------------------------------ carts */

/* The columns of a row: what is left over goes to the ids, then to who it was. */
struct widths {
	size_t restaurant, session, what, total;
	bool version_and_pid;
};

#define FIXED_COLUMNS (7 + 7 + 8 + 6) /* age, idle, changed, items */

static struct widths widths_for(size_t columns)
{
	struct widths widths = { 13, 17, 9, 10, false };
	size_t used =
		FIXED_COLUMNS + widths.restaurant + widths.session + widths.what + widths.total + 3;

	if (columns >= 120) {
		widths.version_and_pid = true;
		widths.what = 16;
		widths.total = 14;
		used += 11 + 12 + 8;
	}
	if (columns <= used)
		return widths;
	const size_t more = columns - used;
	widths.restaurant += min_u64(more * 2 / 5, 27);
	widths.session += min_u64(more - min_u64(more * 2 / 5, 27), 47);
	return widths;
}

void top_put_headings(struct top_page *page, size_t columns)
{
	const struct widths widths = widths_for(columns);
	char line[TOP_LINE_MAX] = "";

	add_left(line, "RESTAURANT", widths.restaurant);
	add_left(line, "SESSION", widths.session);
	add_right(line, "AGE", 6);
	add_right(line, "IDLE", 6);
	add_right(line, "CHANGED", 7);
	add_left(line, "WHAT", widths.what);
	add_right(line, "ITEMS", 5);
	add_right(line, "TOTAL", widths.total);
	if (widths.version_and_pid) {
		add_right(line, "VERSION", 11);
		add_right(line, "BY PID", 7);
	}
	top_put(page, TOP_HEADING, "%s", line);
}

/* In six columns: of long times the larger unit only. */
static char *format_ago(int64_t ms, char buffer[FORMAT_MAX])
{
	format_duration(ms > 0 ? ms : 0, buffer);
	if (strlen(buffer) > 6) {
		char *unit = strpbrk(buffer, "dhm");
		if (unit != NULL)
			unit[1] = '\0';
	}
	return buffer;
}

static const char *what_of(const struct top_cart *cart)
{
	if (cart->step != 0)
		return event_step_name(cart->step);
	return cart->status == CORRAL_CHECKED_OUT ? "checkout" : "";
}

void top_put_cart(struct top_page *page, const struct top_cart *cart, int64_t now_ms,
		  size_t columns)
{
	const struct widths widths = widths_for(columns);
	char line[TOP_LINE_MAX] = "", text[FORMAT_MAX];
	char *restaurant = fit(cart->restaurant_id, widths.restaurant);
	char *session = fit(cart->session_id, widths.session);
	char *what = fit(what_of(cart), widths.what);

	add_left(line, restaurant, widths.restaurant);
	add_left(line, session, widths.session);
	add_right(line, format_ago(now_ms - cart->created_ms, text), 6);
	add_right(line, format_ago(now_ms - cart->active_ms, text), 6);
	add_right(line, format_ago(now_ms - cart->changed_ms, text), 7);
	add_left(line, what, widths.what);
	snprintf(text, sizeof(text), "%" PRIu32, cart->item_count);
	add_right(line, text, 5);
	add_right(line, format_amount(cart->total_cents, cart->digits, text), widths.total);
	if (widths.version_and_pid) {
		snprintf(text, sizeof(text), "%" PRIu64, cart->version);
		add_right(line, text, 11);
		snprintf(text, sizeof(text), "%" PRId32, cart->pid);
		add_right(line, cart->pid != 0 ? text : "", 7);
	}
	top_put(page, cart->status == CORRAL_CHECKED_OUT ? TOP_GOOD : TOP_PLAIN, "%s", line);
	free(restaurant);
	free(session);
	free(what);
}

/* ------------------------------------------------------------------ people, locks */

static size_t list_locks(struct top *top, struct inspect_lock rows[LOCKS_SHOWN])
{
	size_t count = 0;

	return inspect_locks_noted(top->inspect, rows, LOCKS_SHOWN, &count) == 0 ? count : 0;
}

static void put_thread(struct top_page *page, const struct inspect_thread *thread,
		       const struct inspect_lock *locks, size_t lock_count)
{
	char line[TOP_LINE_MAX], text[FORMAT_MAX];
	size_t at = (size_t)snprintf(line, sizeof(line), "  %8" PRId32 "  ", thread->tid);
	bool bad = thread->stalled_ms >= 1000 || thread->revoked;

	if (thread->nest > 0 && thread->stalled_ms > 0)
		at += (size_t)snprintf(line + at, sizeof(line) - at,
				       "reads, and memory has waited for %s",
				       format_duration(thread->stalled_ms, text));
	else if (thread->nest > 0)
		at += (size_t)snprintf(line + at, sizeof(line) - at, "reads");
	else
		at += (size_t)snprintf(line + at, sizeof(line) - at, "%s",
				       thread->doing[0] != '\0' ? thread->doing : "idle");
	if (thread->held_back_bytes > 0)
		at += (size_t)snprintf(line + at, sizeof(line) - at, ", holds back %s",
				       format_bytes(thread->held_back_bytes, text));
	if (thread->revoked)
		at += (size_t)snprintf(line + at, sizeof(line) - at, ", its view was REVOKED");
	for (size_t i = 0; i < lock_count && at < sizeof(line) / 2; i++) {
		if (locks[i].thread != thread->number)
			continue;
		at += (size_t)snprintf(line + at, sizeof(line) - at, ", holds %s %u%s",
				       locks[i].kind, locks[i].number,
				       locks[i].waiters ? " (WAITED FOR)" : "");
		bad |= locks[i].waiters;
	}
	if (thread->cached_bytes > 0)
		at += (size_t)snprintf(line + at, sizeof(line) - at, "; cache %s",
				       format_bytes(thread->cached_bytes, text));
	if (thread->retired_bytes > 0)
		(void)snprintf(line + at, sizeof(line) - at, "; retired %s",
			       format_bytes(thread->retired_bytes, text));
	top_put(page, bad ? TOP_BAD : TOP_PLAIN, "%s", line);
}

static void put_process(struct top_page *page, const struct top *top,
			const struct inspect_process *process)
{
	char *program = fit(process->program, 40);
	char since[FORMAT_MAX], p50[FORMAT_MAX], p99[FORMAT_MAX], times[3 * FORMAT_MAX] = "";
	struct corral_latency latency;

	inspect_latency_of(top->inspect, process->number, &latency);
	if (latency.changes > 0)
		snprintf(times, sizeof(times), "; changes p50 %s, p99 %s",
			 format_ns(corral_latency_ns(&latency, 500000), p50),
			 format_ns(corral_latency_ns(&latency, 990000), p99));
	top_put(page, process->alive ? TOP_PLAIN : TOP_BAD,
		"%10" PRId32 "  %s%s: %s, for %s, %u thread%s%s", process->pid, program,
		process->agent ? " (the agent)" : "",
		process->alive ? "alive" : "DEAD, and not buried yet",
		format_duration(top->now.wall_ms - process->started_ms, since), process->threads,
		plural(process->threads), times);
	free(program);
}

void top_put_people(struct top_page *page, struct top *top)
{
	static struct inspect_thread threads[PEOPLE_MAX];
	struct inspect_lock locks[LOCKS_SHOWN];
	const size_t lock_count = list_locks(top, locks);
	struct inspect_process process;
	size_t count = 0;
	bool used;

	for (uint32_t i = 0;
	     count < PEOPLE_MAX && inspect_thread(top->inspect, i, &used, &threads[count]) == 0;
	     i++)
		count += used;
	top_put(page, TOP_HEADING, "       PID  PROGRAM, AND ITS THREADS: WHAT THEY DO AND HOLD");
	for (uint32_t i = 0; inspect_process(top->inspect, i, &used, &process) == 0; i++) {
		if (!used)
			continue;
		process.program[sizeof(process.program) - 1] = '\0';
		put_process(page, top, &process);
		for (size_t at = 0; at < count; at++)
			if (threads[at].process == process.number)
				put_thread(page, &threads[at], locks, lock_count);
	}
	if (count == PEOPLE_MAX)
		top_put(page, TOP_DIM, "more threads: corral inspect threads");
}

void top_put_locks(struct top_page *page, struct top *top)
{
	struct inspect_lock locks[LOCKS_SHOWN];
	const size_t count = list_locks(top, locks);
	struct death deaths[DEATHS_KEPT];
	size_t death_count = 0;
	char text[DEATH_TEXT_BYTES], ago[FORMAT_MAX];

	top_put(page, TOP_HEADING, "LOCKS HELD NOW");
	for (size_t i = 0; i < count; i++)
		top_put(page, locks[i].waiters || !locks[i].alive ? TOP_BAD : TOP_PLAIN,
			"%s %u: held by thread record %u, pid %" PRId32 "%s%s%s", locks[i].kind,
			locks[i].number, locks[i].thread, locks[i].pid,
			locks[i].alive ? "" : ", which is DEAD",
			locks[i].waiters ? ", WAITED FOR" : "",
			locks[i].held_ms >= 1000 ? ", for long" : "");
	if (count == 0)
		top_put(page, TOP_DIM, "none");
	top_put(page, TOP_PLAIN, "%s", "");
	top_put(page, TOP_HEADING, "THE LAST DEATHS");
	if (inspect_deaths(top->inspect, deaths, DEATHS_KEPT, &death_count) != 0)
		death_count = 0;
	for (size_t i = death_count; i-- > 0;) {
		deaths[i].program[sizeof(deaths[i].program) - 1] = '\0';
		char *program = fit(deaths[i].program, 40);
		death_log_describe(&deaths[i], text);
		top_put(page, TOP_PLAIN, "%7s ago  %s (pid %" PRId32 "): %s",
			format_duration(top->now.wall_ms - deaths[i].repaired_ms, ago), program,
			deaths[i].pid, text);
		free(program);
	}
	if (death_count == 0)
		top_put(page, TOP_DIM, "none");
}

/* ------------------------------------------------------------------ whole frames */

void top_print(struct top *top)
{
	struct top_page page = { 0 };

	top_put_figures(&page, top, top_order_name(top->call->order));
	if (top->corral != NULL) {
		top_put_headings(&page, BATCH_COLUMNS);
		for (size_t i = 0; i < TOP_BATCH_ROWS; i++) {
			const struct top_cart *cart = top_model_at(top->model, i);
			if (cart != NULL)
				top_put_cart(&page, cart, top->now.wall_ms, BATCH_COLUMNS);
		}
		top_put_people(&page, top);
		top_put_locks(&page, top);
	}
	for (size_t i = 0; i < page.count; i++) {
		size_t size = strlen(page.lines[i].text);
		while (size > 0 && page.lines[i].text[size - 1] == ' ')
			page.lines[i].text[--size] = '\0';
		puts(page.lines[i].text);
	}
	putchar('\n');
	top_page_free(&page);
}

static json_t *json_of_ms(int64_t ms)
{
	return must_have(json_integer((json_int_t)ms));
}

static json_t *json_of_number(uint64_t number)
{
	return must_have(json_integer((json_int_t)number));
}

static json_t *json_of_cart_row(const struct top_cart *cart, int64_t now_ms)
{
	return must_have(json_pack(
		"{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:I, s:o, s:I, s:I}", "restaurant_id",
		json_of_text(cart->restaurant_id, strlen(cart->restaurant_id)), "session_id",
		json_of_text(cart->session_id, strlen(cart->session_id)), "status",
		status_name(cart->status), "version", json_of_number(cart->version), "age_ms",
		json_of_ms(now_ms - cart->created_ms), "idle_ms",
		json_of_ms(now_ms - cart->active_ms), "changed_ms_ago",
		json_of_ms(now_ms - cart->changed_ms), "what", what_of(cart), "pid",
		(json_int_t)cart->pid, "total_cents", json_of_ms(cart->total_cents),
		"currency_digits", (json_int_t)cart->digits, "item_count",
		(json_int_t)cart->item_count));
}

static json_t *json_of_rates(const struct top_rates *rates)
{
	return must_have(json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "changes",
				   rates->changes, "reads", rates->reads, "created", rates->created,
				   "checked_out", rates->checked_out, "dropped", rates->dropped,
				   "expired", rates->expired, "lock_sleeps", rates->lock_sleeps,
				   "refused", rates->refused));
}

void top_print_json(struct top *top)
{
	json_t *frame = must_have(json_pack("{s:o, s:b}", "time", json_of_time(top->now.wall_ms),
					    "gone", (int)(top->corral == NULL)));

	if (top->corral != NULL) {
		json_t *carts = must_have(json_array());
		for (size_t i = 0; i < TOP_BATCH_ROWS; i++) {
			const struct top_cart *cart = top_model_at(top->model, i);
			if (cart != NULL)
				json_array_append_new(carts,
						      json_of_cart_row(cart, top->now.wall_ms));
		}
		json_t *more = must_have(json_pack(
			"{s:b, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			"agent", (int)top->now.agent, "listed", (int)top->listed, "feed",
			(int)!top->no_feed, "per_second", json_of_rates(&top->rates), "latency",
			section_latency(&top->latency), "memory", section_summary(top->inspect),
			"journal", section_journal(top->inspect), "cursors",
			section_cursors(top->inspect), "processes", section_processes(top->inspect),
			"threads", section_threads(top->inspect), "deaths",
			section_deaths(top->inspect), "missed",
			json_of_number(top_model_missed(top->model) + top->skipped), "carts",
			carts));
		json_object_update_new(frame, more);
	}
	json_print(frame);
}
