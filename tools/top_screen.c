/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * top_screen.c: `corral top` on a terminal: views, keys, and lines drawn with ncurses. A frame is
 * drawn at each interval and after each key; of the carts, only those on the screen are looked at.
 */
#include "top.h"

#include <errno.h>
#include <inttypes.h>
#include <ncurses.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/text.h"

#define ROWS_LEAST 12
#define COLUMNS_LEAST 40
#define HISTORY_MAX 256u
#define ESCAPE 27
#define ESCAPE_MS 25 /* how long an escape sequence may take to arrive */
#define FILTER_MAX 64

enum view { VIEW_CARTS, VIEW_PEOPLE, VIEW_LOCKS, VIEW_FEED, VIEW_HISTORY, VIEW_HELP };

struct screen {
	struct top *top;
	enum view view;
	bool colours;
	bool done;
	enum top_order order;
	bool reverse;
	/* the cart that is marked: it stays so, wherever it goes; no name: the place is marked */
	char restaurant_id[CORRAL_ID_MAX + 1];
	char session_id[CORRAL_ID_MAX + 1];
	size_t place;
	size_t first; /* the place of the uppermost cart that is shown */
	size_t body;  /* how many fit */
	size_t from;  /* the uppermost line of another view */
	char filter[FILTER_MAX];
	bool typing;           /* the filter */
	struct top_page lines; /* of the history */
	uint64_t gap; /* the last one says that so many events were missed; 0: it does not */
};

static bool on_screen; /* the terminal is ncurses' */

static void leave_screen(void)
{
	if (on_screen)
		endwin();
	on_screen = false;
}

/* ------------------------------------------------------------------ drawing */

static int attributes(const struct screen *screen, enum top_mood mood)
{
	static const int pairs[] = { [TOP_GOOD] = 1, [TOP_BAD] = 2 };

	switch (mood) {
	case TOP_HEADING:
		return (int)A_BOLD;
	case TOP_GOOD:
		return screen->colours ? COLOR_PAIR(pairs[mood]) : (int)A_NORMAL;
	case TOP_BAD:
		return screen->colours ? COLOR_PAIR(pairs[mood]) | (int)A_BOLD : (int)A_BOLD;
	case TOP_DIM:
		return (int)A_DIM;
	case TOP_PLAIN:
		break;
	}
	return (int)A_NORMAL;
}

/* A line, as far as it fits; marked: over the whole width. */
static void draw(const struct screen *screen, int row, const char *text, enum top_mood mood,
		 bool marked)
{
	const int how = attributes(screen, mood) | (marked ? (int)A_REVERSE : 0);
	const size_t columns = (size_t)COLS;

	move(row, 0);
	attrset(how);
	addnstr(text, (int)text_fit(text, columns));
	for (size_t width = text_width(text); marked && width < columns; width++)
		addch(' ');
	attrset((int)A_NORMAL);
}

static int draw_page(const struct screen *screen, int row, const struct top_page *page,
		     size_t first, size_t count)
{
	for (size_t i = first; i < page->count && i < first + count; i++, row++)
		draw(screen, row, page->lines[i].text, page->lines[i].mood, false);
	return row;
}

/* Where is the marked cart now? */
static void find_marked(struct screen *screen)
{
	const size_t rows = top_model_rows(screen->top->model);
	size_t place = SIZE_MAX;

	if (screen->restaurant_id[0] != '\0')
		place = top_model_place(screen->top->model, screen->restaurant_id,
					screen->session_id);
	if (place != SIZE_MAX)
		screen->place = place;
	else
		screen->restaurant_id[0] = '\0'; /* it is over, or does not pass the filter */
	if (screen->place >= rows)
		screen->place = rows > 0 ? rows - 1 : 0;
	if (screen->first > screen->place)
		screen->first = screen->place;
	if (screen->place >= screen->first + screen->body)
		screen->first = screen->place - screen->body + 1;
	if (screen->first + screen->body > rows)
		screen->first = rows > screen->body ? rows - screen->body : 0;
}

static void draw_carts(struct screen *screen, int row)
{
	struct top *top = screen->top;
	struct top_page page = { 0 };

	screen->body = (size_t)(LINES - row - 2);
	find_marked(screen);
	top_look(top, screen->first, screen->body);
	if (top->corral == NULL)
		return;
	find_marked(screen);
	top_put_headings(&page, (size_t)COLS);
	for (size_t i = 0; i < screen->body; i++) {
		const struct top_cart *cart = top_model_at(top->model, screen->first + i);
		if (cart != NULL)
			top_put_cart(&page, cart, top_wall_ms(), (size_t)COLS);
	}
	for (size_t i = 0; i < page.count; i++)
		draw(screen, row + (int)i, page.lines[i].text, page.lines[i].mood,
		     i > 0 && screen->first + i - 1 == screen->place);
	top_page_free(&page);
}

/* Another view than that of the carts: its lines from `from` on. */
static void draw_lines(struct screen *screen, int row, const struct top_page *page)
{
	screen->body = (size_t)(LINES - row - 1);
	if (screen->from + screen->body > page->count)
		screen->from = page->count > screen->body ? page->count - screen->body : 0;
	(void)draw_page(screen, row, page, screen->from, screen->body);
}

static void put_help(struct top_page *page)
{
	static const char *const lines[] = {
		"c            the carts",
		"p            processes and threads: what they do and hold",
		"l            locks, and the last deaths",
		"f            the feed, and its named cursors",
		"Enter        the history of the marked cart",
		"Up, Down     mark a cart; it stays marked wherever it goes (also k, j)",
		"PgUp, PgDn   a page; Home, End: the first, the last",
		"s            the next order: age, total, idle, change, items, name",
		"r            the other way round",
		"/            only carts with a text in an id; Enter keeps it, Esc ends it",
		"Esc          back; without a filter or a mark",
		"q            quit",
		"",
		"IDLE counts reads, too, of the carts on the screen. A checked out cart is green.",
		"Looking does not prolong a cart's life. The manual: man corral",
	};

	top_put(page, TOP_HEADING, "KEYS");
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		top_put(page, TOP_PLAIN, "%s", lines[i]);
}

/* A long line goes on in the next ones, indented. */
static void put_wrapped(struct top_page *page, const struct top_line *line)
{
	const size_t columns = (size_t)COLS;
	const char *text = line->text;
	size_t size = text_fit(text, columns);

	top_put(page, line->mood, "%.*s", (int)size, text);
	for (text += size; *text != '\0'; text += size) {
		size = text_fit(text, columns - 4);
		top_put(page, line->mood, "    %.*s", (int)size, text);
	}
}

static void draw_history(struct screen *screen, int row)
{
	struct top_page page = { 0 };

	for (size_t i = 0; i < screen->lines.count; i++)
		put_wrapped(&page, &screen->lines.lines[i]);
	if (screen->lines.count == 0)
		top_put(&page, TOP_DIM, "%s",
			screen->top->no_feed ? "no events are written: corral-agent --feed off" :
					       "there are no events of it any more");
	draw_lines(screen, row, &page);
	top_page_free(&page);
}

static void draw_view(struct screen *screen, int row)
{
	struct top_page page = { 0 };

	switch (screen->view) {
	case VIEW_CARTS:
		draw_carts(screen, row);
		return;
	case VIEW_HISTORY:
		draw_history(screen, row);
		return;
	case VIEW_PEOPLE:
		top_put_people(&page, screen->top);
		break;
	case VIEW_LOCKS:
		top_put_locks(&page, screen->top);
		break;
	case VIEW_FEED:
		top_put_cursors(&page, screen->top);
		break;
	case VIEW_HELP:
		put_help(&page);
		break;
	}
	draw_lines(screen, row, &page);
	top_page_free(&page);
}

static void draw_footer(const struct screen *screen)
{
	char line[TOP_LINE_MAX];
	char *restaurant, *session;

	if (screen->typing || (screen->view == VIEW_CARTS && screen->filter[0] != '\0')) {
		char *filter = must_have(text_escape(screen->filter, strlen(screen->filter)));
		snprintf(line, sizeof(line), "filter: %s%s", filter,
			 screen->typing ? "_   Enter keeps it   Esc ends it" :
					  "   Esc ends it   h help   q quit");
		free(filter);
	} else if (screen->view == VIEW_HISTORY) {
		restaurant = must_have(
			text_escape(screen->restaurant_id, strlen(screen->restaurant_id)));
		session = must_have(text_escape(screen->session_id, strlen(screen->session_id)));
		snprintf(line, sizeof(line), "Esc back   q quit   history of %s %s", restaurant,
			 session);
		free(restaurant);
		free(session);
	} else {
		snprintf(line, sizeof(line),
			 "h help  p people  l locks  s order  r reverse  / filter  Enter history  "
			 "q quit");
	}
	draw(screen, LINES - 1, line, TOP_PLAIN, true);
}

static void draw_all(struct screen *screen)
{
	struct top *top = screen->top;
	struct top_page figures = { 0 };
	char order[32];

	erase();
	if (LINES < ROWS_LEAST || COLS < COLUMNS_LEAST) {
		draw(screen, 0, "The terminal is too small.", TOP_PLAIN, false);
		refresh();
		return;
	}
	snprintf(order, sizeof(order), "%s%s", top_order_name(screen->order),
		 screen->reverse ? ", reversed" : "");
	top_put_figures(&figures, top, order);
	int row = draw_page(screen, 0, &figures, 0, figures.count);
	top_page_free(&figures);
	if (top->corral != NULL || screen->view == VIEW_HELP)
		draw_view(screen, row);
	draw_footer(screen);
	refresh();
}

/* ------------------------------------------------------------------ the history */

static void end_history(struct screen *screen)
{
	corral_feed_close(screen->top->history);
	screen->top->history = NULL;
	top_page_free(&screen->lines);
}

/* Take a line out of the history. */
static void drop_line(struct screen *screen, size_t index)
{
	struct top_page *lines = &screen->lines;

	free(lines->lines[index].text);
	lines->count--;
	memmove(&lines->lines[index], &lines->lines[index + 1],
		(lines->count - index) * sizeof(lines->lines[0]));
}

static void add_history(struct screen *screen, struct corral_event *event)
{
	const bool gap = event->kind == CORRAL_EVENT_GAP;

	if (gap && screen->gap > 0 && screen->lines.count > 0) { /* one line for all of them */
		event->missed += screen->gap;
		drop_line(screen, screen->lines.count - 1);
	}
	screen->gap = gap ? event->missed : 0;
	if (screen->lines.count == HISTORY_MAX)
		drop_line(screen, 0);
	char *line = event_line(event, false);
	top_put(&screen->lines, gap ? TOP_DIM : TOP_PLAIN, "%s", line);
	free(line);
	screen->from = SIZE_MAX / 2; /* the end is shown */
}

/* Read what there is of the cart's events. */
static void follow_history(struct screen *screen)
{
	struct corral_event event;
	size_t count = 0;

	while (screen->top->history != NULL &&
	       corral_feed_next(screen->top->history, &event, 1, 0, NULL, &count) == 0)
		add_history(screen, &event);
}

static void begin_history(struct screen *screen)
{
	struct top *top = screen->top;
	const struct top_cart *cart =
		top->corral != NULL ? top_model_at(top->model, screen->place) : NULL;

	if (cart == NULL)
		return;
	snprintf(screen->restaurant_id, sizeof(screen->restaurant_id), "%s", cart->restaurant_id);
	snprintf(screen->session_id, sizeof(screen->session_id), "%s", cart->session_id);
	const struct corral_text restaurant = corral_text(screen->restaurant_id);
	const struct corral_text session = corral_text(screen->session_id);
	const struct corral_feed_filter filter = { .restaurant_id = &restaurant,
						   .session_id = &session };
	end_history(screen);
	screen->gap = 0;
	if (corral_feed_open(top->corral, CORRAL_FEED_OLDEST, &filter, &top->history) < 0)
		top->history = NULL;
	screen->view = VIEW_HISTORY;
	follow_history(screen);
}

/* ------------------------------------------------------------------ keys */

static void show(struct screen *screen, enum view view)
{
	end_history(screen);
	screen->view = view;
	screen->from = 0;
}

static void order_anew(struct screen *screen)
{
	screen->place = screen->first = 0;
	screen->restaurant_id[0] = '\0';
	if (screen->top->corral != NULL)
		top_model_order(screen->top->model, screen->order, screen->reverse);
}

static void filter_anew(struct screen *screen)
{
	if (screen->top->corral != NULL)
		top_model_filter(screen->top->model, screen->filter);
}

/* One character less: UTF-8 has several bytes of it. */
static void shorten(char *text)
{
	size_t size = strlen(text);

	while (size > 0 && ((unsigned char)text[--size] & 0xc0) == 0x80)
		;
	text[size] = '\0';
}

static void type_filter(struct screen *screen, int key)
{
	const size_t size = strlen(screen->filter);

	if (key == ESCAPE || key == '\n' || key == '\r' || key == KEY_ENTER)
		screen->typing = false;
	if (key == ESCAPE)
		screen->filter[0] = '\0';
	else if (key == KEY_BACKSPACE || key == 127 || key == '\b')
		shorten(screen->filter);
	else if (key >= ' ' && key < 256 && size < FILTER_MAX - 1) {
		screen->filter[size] = (char)key;
		screen->filter[size + 1] = '\0';
	}
	filter_anew(screen);
}

/* Mark the cart in this place, or scroll so far in another view. */
static void go(struct screen *screen, ptrdiff_t by)
{
	const bool carts = screen->view == VIEW_CARTS;
	size_t *at = carts ? &screen->place : &screen->from;
	const size_t rows = screen->top->corral != NULL ? top_model_rows(screen->top->model) : 0;

	if (by < 0 && *at < (size_t)-by)
		*at = 0;
	else if (by < 0 || *at < SIZE_MAX / 2)
		*at += (size_t)by;
	if (!carts || rows == 0)
		return;
	if (*at >= rows)
		*at = rows - 1;
	const struct top_cart *cart = top_model_at(screen->top->model, *at);
	if (cart == NULL)
		return;
	snprintf(screen->restaurant_id, sizeof(screen->restaurant_id), "%s", cart->restaurant_id);
	snprintf(screen->session_id, sizeof(screen->session_id), "%s", cart->session_id);
}

/* Esc: one thing after another is undone. */
static void back(struct screen *screen)
{
	if (screen->view != VIEW_CARTS) {
		show(screen, VIEW_CARTS);
	} else if (screen->filter[0] != '\0') {
		screen->filter[0] = '\0';
		filter_anew(screen);
	} else {
		screen->restaurant_id[0] = '\0';
		screen->place = screen->first = 0;
	}
}

static void move_by_key(struct screen *screen, int key)
{
	const ptrdiff_t page = screen->body > 1 ? (ptrdiff_t)screen->body - 1 : 1;

	switch (key) {
	case KEY_UP:
	case 'k':
		go(screen, -1);
		break;
	case KEY_DOWN:
	case 'j':
		go(screen, 1);
		break;
	case KEY_PPAGE:
		go(screen, -page);
		break;
	case KEY_NPAGE:
	case ' ':
		go(screen, page);
		break;
	case KEY_HOME:
	case 'g':
		go(screen, -(PTRDIFF_MAX / 2));
		break;
	case KEY_END:
	case 'G':
		go(screen, PTRDIFF_MAX / 2);
		break;
	default:
		break;
	}
}

static void take_key(struct screen *screen, int key)
{
	if (screen->typing && key != KEY_RESIZE) {
		type_filter(screen, key);
		return;
	}
	switch (key) {
	case 'q':
	case 'Q':
		screen->done = true;
		break;
	case 'h':
	case '?':
	case KEY_F(1):
		show(screen, VIEW_HELP);
		break;
	case 'c':
		show(screen, VIEW_CARTS);
		break;
	case 'p':
		show(screen, VIEW_PEOPLE);
		break;
	case 'l':
		show(screen, VIEW_LOCKS);
		break;
	case 'f':
		show(screen, VIEW_FEED);
		break;
	case 's':
		screen->order = (enum top_order)((screen->order + 1) % TOP_ORDERS);
		order_anew(screen);
		break;
	case 'r':
		screen->reverse = !screen->reverse;
		order_anew(screen);
		break;
	case '/':
		show(screen, VIEW_CARTS);
		screen->typing = true;
		break;
	case '\n':
	case '\r':
	case KEY_ENTER:
		if (screen->view == VIEW_CARTS)
			begin_history(screen);
		break;
	case ESCAPE:
		back(screen);
		break;
	default:
		move_by_key(screen, key);
		break;
	}
}

/* ------------------------------------------------------------------ the loop */

static bool wants_colours(void)
{
	return getenv("NO_COLOR") == NULL && has_colors();
}

static void begin_colours(struct screen *screen)
{
	screen->colours = wants_colours() && start_color() == OK && use_default_colors() == OK;
	if (!screen->colours)
		return;
	init_pair(1, COLOR_GREEN, -1);
	init_pair(2, COLOR_RED, -1);
}

/* True: the terminal's kind is known, and its cursor can be moved. */
static bool enter_screen(void)
{
	static char cup[] = "cup";

	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
		return false;
	SCREEN *terminal = newterm(NULL, stdout, stdin);
	if (terminal == NULL)
		return false;
	if (tigetstr(cup) == NULL) {
		endwin();
		delscreen(terminal);
		return false;
	}
	on_screen = true;
	atexit(leave_screen);
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	return true;
}

/* Wait for a key, for a signal, or for so long. False: the terminal is gone. */
static bool wait_for_key(int ms)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	int r = poll(&input, 1, ms);

	return r <= 0 || (input.revents & (POLLHUP | POLLERR | POLLNVAL)) == 0;
}

/* Other carts than those of the last frame, since the arena was opened again. */
static void look_for_new_model(struct screen *screen, const struct top_model *before)
{
	if (screen->top->model == before)
		return;
	order_anew(screen);
	filter_anew(screen);
}

bool top_screen(struct top *top)
{
	const int64_t interval_ns =
		(top->call->interval_ms != 0 ? top->call->interval_ms : TOP_INTERVAL) * 1000000ll;
	struct screen screen = { .top = top, .order = (enum top_order)top->call->order };
	uint32_t frames = 0;

	if (!enter_screen())
		return false;
	begin_colours(&screen);
	int64_t next_ns = top_clock_ns();
	bool first_frame = true;
	while (!screen.done && !signals_stop()) {
		const struct top_model *model = top->model;
		bool drawn = false;

		top_tick(top);
		look_for_new_model(&screen, model);
		follow_history(&screen);
		for (int key; (key = getch()) != ERR;) {
			take_key(&screen, key);
			drawn = true;
		}
		if (top_clock_ns() >= next_ns || first_frame) {
			first_frame = false;
			top_measure(top);
			next_ns = top_clock_ns() + interval_ns;
			drawn = true;
			screen.done |= top->call->frames != 0 && ++frames > top->call->frames;
		}
		if (drawn && !screen.done)
			draw_all(&screen);
		const int64_t left_ms = (next_ns - top_clock_ns()) / 1000000 + 1;
		const int tick_ms = top_tick_ms(top);
		if (!screen.done &&
		    !wait_for_key(left_ms < tick_ms ? (left_ms > 0 ? (int)left_ms : 0) : tick_ms))
			break;
	}
	end_history(&screen);
	leave_screen();
	return true;
}
