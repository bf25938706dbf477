/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * top.h: what the modules of `corral top` share. top_source.c follows an arena, and keeps the model
 * and the figures up to date; top_text.c makes lines and JSON of them; top_screen.c draws the lines
 * on a terminal, and reads keys.
 */
#ifndef CORRAL_TOOLS_TOP_H
#define CORRAL_TOOLS_TOP_H

#include <limits.h>

#include "arena/stat.h"
#include "inspect/inspect.h"
#include "sections.h"
#include "tool.h"
#include "top_model.h"

#define TOP_TICK_MS 50    /* how often events are read */
#define TOP_FIRST_MS 25   /* the same while the first list is made */
#define TOP_INTERVAL 1000 /* ms between frames, if nothing else was asked for */

/* What a frame tells of the arena as a whole. */
struct top_figures {
	int64_t at_ns; /* CLOCK_MONOTONIC */
	int64_t wall_ms;
	uint64_t counts[STAT_SLOTS];
	uint64_t deaths;
	struct inspect_totals totals;
	bool agent;
};

/* So many a second, between two frames. */
struct top_rates {
	double changes, reads, created, checked_out, dropped, expired;
	double lock_sleeps; /* locks waited for asleep */
	double refused;     /* changes: the arena was full, or a lock held too long */
};

struct top {
	const struct call *call;
	char directory[PATH_MAX];
	struct corral *corral; /* NULL: the arena is gone, and `gone` says why */
	struct inspect *inspect;
	struct corral_feed *feed;
	struct corral_feed *history; /* of one cart, or NULL */
	struct corral_list *list;    /* NULL: no list is being made */
	struct top_model *model;
	char gone[256];
	bool no_feed;     /* no events are written: one list after another is made */
	bool listed;      /* a list was whole */
	bool list_again;  /* events were missed since the present list began */
	size_t list_rows; /* that the present list has told so far */
	uint32_t behind;  /* ticks that did not come to the feed's end */
	uint64_t skipped; /* how often the feed was left behind, since it was too fast */
	uint64_t looks;   /* our own reads since the last frame */
	struct top_figures now, before;
	struct top_rates rates;
	/* changes of the last ten to twenty seconds */
	struct corral_latency latency, latency_from, latency_next;
	int64_t latency_next_ns;
};

/* Open the call's arena, and begin to follow it. Complains on failure. */
enum exit_code top_begin(struct top *top, const struct call *call);
void top_end(struct top *top);

/* Take in what has happened: a bounded amount of it. */
void top_tick(struct top *top);
int top_tick_ms(const struct top *top); /* until the next one */

/* Before a frame: read the figures; look at the carts in these places. */
void top_measure(struct top *top);
void top_look(struct top *top, size_t first, size_t count);

int64_t top_clock_ns(void);
int64_t top_wall_ms(void);

/* ---------------------------------------------------------------- top_text.c */

#define TOP_LINE_MAX 1024
#define TOP_BATCH_ROWS 20u /* carts in a frame that is printed */

enum top_mood { TOP_PLAIN, TOP_HEADING, TOP_GOOD, TOP_BAD, TOP_DIM };

/* Lines, safe for terminals. */
struct top_page {
	struct top_line {
		char *text;
		enum top_mood mood;
	} * lines;
	size_t count;
	size_t room;
};

void top_page_free(struct top_page *page);
void top_put(struct top_page *page, enum top_mood mood, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The figures; the headings of the carts, and one of them; each in so many columns. */
void top_put_figures(struct top_page *page, const struct top *top, const char *order);
void top_put_headings(struct top_page *page, size_t columns);
void top_put_cart(struct top_page *page, const struct top_cart *cart, int64_t now_ms,
		  size_t columns);

/* Processes and their threads; locks and deaths; the feed and its cursors. */
void top_put_people(struct top_page *page, struct top *top);
void top_put_locks(struct top_page *page, struct top *top);
void top_put_cursors(struct top_page *page, const struct top *top);

/* A whole frame. */
void top_print(struct top *top);
void top_print_json(struct top *top);

/* -------------------------------------------------------------- top_screen.c */

/* Show frames until q or a signal. False: this is no terminal for it. */
bool top_screen(struct top *top);

#endif
