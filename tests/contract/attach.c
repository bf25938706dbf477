/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attach.c: opening and closing, handles, and the calls that need none.
 */
#include "contract.h"

static void what_cannot_be_opened_says_why(struct contract *c)
{
	static const struct {
		const char *location;
		int error;
	} refused[] = {
		{ "/nonexistent/directory", -ENOENT },
		{ "dir:/nonexistent/directory", -ENOENT },
		{ "nosuch://somewhere", -EPROTONOSUPPORT },
	};
	struct corral *corral = NULL;

	(void)c;
	for (size_t i = 0; i < COUNT(refused); i++) {
		gives(refused[i].error, corral_open(refused[i].location, 0, &corral));
		assert_null(corral);
		assert_true(strlen(corral_why()) > 0);
	}
	corral_close(contract_open(0));
	assert_string_equal(corral_why(), "");
	corral_close(NULL);
}

static void handles_of_one_location_see_the_same_carts(struct contract *c)
{
	struct corral *other = contract_open(0), *third = contract_open(CORRAL_READ_ONLY);
	struct corral_item item = contract_item("tea", 150, 1);
	struct corral_cart *cart;

	gives(0, corral_add(other, &c->key, &item, NULL, NULL));
	gives(0, corral_get(third, &c->key, &cart));
	assert_int_equal(cart->head.total_cents, 150);
	corral_cart_free(cart);
	corral_close(other);
	corral_close(third);
	assert_int_equal(contract_head(c).total_cents, 150);
}

static void a_read_only_handle_reads_and_changes_nothing(struct contract *c)
{
	struct contract reader = { .corral = contract_open(CORRAL_READ_ONLY), .key = c->key };
	struct corral_op op = contract_op(NULL, 1);
	struct corral_cart draft = { 0 };

	uint64_t version = contract_two_lines(c).version;
	for (int which = 0; which < CHANGES; which++)
		gives(-EROFS, contract_change(&reader, &c->key, which, NULL, NULL));
	gives(-EROFS, corral_replace(reader.corral, &c->key, &draft, &op, NULL));
	assert_int_equal(contract_head(&reader).version, version);
	corral_close(reader.corral);
}

static void a_patience_is_an_hour_at_most(struct contract *c)
{
	gives(0, corral_set_patience(c->corral, 0));
	gives(0, corral_set_patience(c->corral, HOUR_MS));
	gives(-ERANGE, corral_set_patience(c->corral, HOUR_MS + 1));
	(void)contract_two_lines(c);
}

static void a_thread_leaves_only_without_an_open_view(struct contract *c)
{
	struct corral_view view;

	(void)contract_two_lines(c);
	gives(0, corral_read_begin(c->corral, &c->key, &view));
	gives(-EBUSY, corral_leave_thread(c->corral));
	gives(0, corral_read_end(&view));
	gives(0, corral_leave_thread(c->corral));
	gives(0, corral_leave_thread(c->corral));
	assert_int_equal(contract_head(c).item_count, 3); /* and comes back with its next call */
}

static void abandoned_views_are_counted_and_void(struct contract *c)
{
	struct corral_view views[2];

	(void)contract_two_lines(c);
	gives(0, corral_thread_abandon(c->corral));
	for (size_t i = 0; i < COUNT(views); i++)
		gives(0, corral_read_begin(c->corral, &c->key, &views[i]));
	gives(2, corral_thread_abandon(c->corral));
	gives(-EINVAL, corral_read_end(&views[1]));
	gives(-EINVAL, corral_read_end(&views[0]));
	gives(0, corral_thread_abandon(c->corral));
	assert_int_equal(contract_head(c).item_count, 3);
}

static void the_small_calls_need_no_handle(struct contract *c)
{
	static const int errors[] = { EINVAL,    ENAMETOOLONG, EILSEQ, ERANGE,    EOVERFLOW,
				      E2BIG,     ENOENT,       ENXIO,  EMLINK,    ESHUTDOWN,
				      ECANCELED, ENOTUNIQ,     EBUSY,  ETIMEDOUT, ENOMEM,
				      ENFILE,    ENOSPC,       EUSERS, EDEADLK,   EUCLEAN,
				      EROFS,     ESTALE,       EBADF,  ENOLCK,    EPROTO,
				      EXDEV,     EPERM,        ELOOP,  ENOTCONN,  EOPNOTSUPP,
				      ENOBUFS,   EINTR,        EIO,    0,         -1234567 };

	(void)c;
	assert_string_equal(corral_version(), CORRAL_VERSION);
	assert_int_equal(corral_text(NULL).size, 0);
	assert_int_equal(corral_text("tea").size, 3);
	for (size_t i = 0; i < COUNT(errors); i++) {
		assert_true(strlen(corral_strerror(errors[i])) > 0);
		assert_string_equal(corral_strerror(errors[i]), corral_strerror(-errors[i]));
		assert_true(strlen(corral_error_name(errors[i])) > 0);
		assert_string_equal(corral_error_name(errors[i]), corral_error_name(-errors[i]));
	}
	assert_string_equal(corral_error_name(-ENOENT), "ENOENT");
	assert_string_equal(corral_error_name(-ENOTUNIQ), "ENOTUNIQ");
	assert_string_equal(corral_error_name(1234567), "unknown");
}

/* ------------------------------------------------------------- for monitors */

static int64_t stat_of(const struct contract *c, const char *name)
{
	static struct corral_stat rows[CORRAL_STATS_MAX];
	size_t count = 0;

	gives(0, corral_stats(c->corral, rows, COUNT(rows), &count));
	assert_true(count > 0 && count <= COUNT(rows));
	for (size_t i = 0; i < count; i++) {
		assert_true(rows[i].kind == CORRAL_STAT_NOW || rows[i].kind == CORRAL_STAT_TOTAL);
		assert_true(strlen(rows[i].unit) > 0 && strlen(rows[i].help) > 0);
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].value;
	}
	fail_msg("no row %s", name);
	return 0;
}

static void the_numbers_of_the_arena_are_told(struct contract *c)
{
	struct corral_stat one;
	size_t count = 0;

	int64_t before = stat_of(c, "changes");
	(void)contract_two_lines(c);
	assert_true(stat_of(c, "changes") >= before + 2);
	assert_true(stat_of(c, "carts_open") >= 1);
	gives(0, corral_stats(c->corral, &one, 1, &count)); /* the first, and how many there are */
	assert_true(count > 1);
	assert_true(strlen(one.name) > 0);
}

static void a_process_may_have_a_label(struct contract *c)
{
	static char longest[CORRAL_LABEL_MAX + 1];
	const struct corral_text bad = T("\xff");

	memset(longest, 'x', sizeof(longest));
	gives(-EINVAL, corral_set_label(c->corral, corral_text("")));
	gives(-EILSEQ, corral_set_label(c->corral, bad));
	gives(-ENAMETOOLONG,
	      corral_set_label(c->corral, (struct corral_text){ longest, sizeof(longest) }));
	gives(0, corral_set_label(c->corral, (struct corral_text){ longest, CORRAL_LABEL_MAX }));
	gives(0, corral_set_label(c->corral, corral_text("contract")));
	struct corral *second = NULL;
	gives(-EILSEQ, corral_open_as(contract_location, 0, bad, &second));
	gives(0, corral_open_as(contract_location, 0, corral_text("contract"), &second));
	corral_close(second);
}

const struct contract_case attach_cases[] = {
	CASE(what_cannot_be_opened_says_why),
	CASE(handles_of_one_location_see_the_same_carts),
	CASE(a_read_only_handle_reads_and_changes_nothing),
	CASE(a_patience_is_an_hour_at_most),
	CASE(a_thread_leaves_only_without_an_open_view),
	CASE(abandoned_views_are_counted_and_void),
	CASE(the_small_calls_need_no_handle),
	CASE(the_numbers_of_the_arena_are_told),
	CASE(a_process_may_have_a_label),
	{ NULL, NULL },
};
