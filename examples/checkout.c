/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checkout.c: an order is placed only as the customer heard it.
 *
 * The voice worker reads the cart out and remembers its version. While the customer thinks, another
 * worker puts one more item into the cart. The checkout names the version that was heard, so it is
 * refused; the cart is read out again, and then it is placed.
 *
 * With an agent's directory in $CORRAL_DIR it prints, the first time:
 *
 *   the customer hears: 1 item, 8.99
 *   something has changed
 *   checkout: the cart's version is not the expected one, or the wait was cancelled
 *   the customer hears: 2 items, 11.49
 *   checkout: placed, 11.49
 *   one more coke: the cart is checked out
 */
#include <corral.h>

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CUSTOMER_THINKS_MS 10000

static struct corral_key the_cart(void)
{
	return (struct corral_key){ corral_text("luigi"), corral_text("call-3") };
}

static struct corral *open_store(void)
{
	struct corral *corral;

	if (corral_open(NULL, 0, &corral) < 0)
		errx(1, "%s", corral_why());
	return corral;
}

static int add(struct corral *corral, const char *item_id, int64_t cents)
{
	const struct corral_key key = the_cart();
	const struct corral_item item = { .menu_item_id = corral_text(item_id),
					  .unit_price_cents = cents,
					  .quantity = 1 };

	return corral_add(corral, &key, &item, NULL, NULL);
}

/* The version that the customer has heard. A view shows the cart as it was at one moment. */
static uint64_t read_out(struct corral *corral)
{
	const struct corral_key key = the_cart();
	struct corral_view view;
	struct corral_head head;

	int r = corral_read_begin(corral, &key, &view);
	if (r < 0)
		errx(1, "%s", corral_strerror(r));
	r = corral_view_head(&view, &head);
	int ended = corral_read_end(&view);
	if (r < 0 || ended < 0)
		errx(1, "%s", corral_strerror(r < 0 ? r : ended));
	printf("the customer hears: %u item%s, %lld.%02lld\n", head.item_count,
	       head.item_count == 1 ? "" : "s", (long long)(head.total_cents / 100),
	       (long long)(head.total_cents % 100));
	return head.version;
}

static int check_out(struct corral *corral, uint64_t heard)
{
	const struct corral_key key = the_cart();
	/* if this worker dies now, the next one asks again, with the same id */
	const struct corral_op op = { .id = corral_text("confirm"), .if_version = heard };
	struct corral_result result;

	int r = corral_checkout(corral, &key, &op, &result);
	if (r < 0)
		printf("checkout: %s\n", corral_strerror(r));
	else
		printf("checkout: placed, %lld.%02lld\n", (long long)(result.total_cents / 100),
		       (long long)(result.total_cents % 100));
	return r;
}

/* Another worker, another process: a friend at the table orders a coke. */
static void another_worker_adds(void)
{
	int status;
	pid_t worker = fork();

	if (worker < 0)
		err(1, "fork");
	if (worker == 0) {
		struct corral *corral = open_store();
		int r = add(corral, "coke", 250);
		corral_close(corral);
		_exit(r < 0);
	}
	if (waitpid(worker, &status, 0) < 0)
		err(1, "waitpid");
	if (status != 0)
		errx(1, "the other worker could not add");
}

int main(void)
{
	const struct corral_key key = the_cart();
	struct corral *corral = open_store();
	uint64_t version;
	int r = add(corral, "burger", 899);

	if (r < 0)
		errx(1, "%s", corral_strerror(r));
	uint64_t heard = read_out(corral);
	another_worker_adds();
	/* returns at once when the cart has a later version, else when it gets one */
	if (corral_wait(corral, &key, heard, CUSTOMER_THINKS_MS, NULL, &version) == 0)
		puts("something has changed");
	while (check_out(corral, heard) == -ECANCELED)
		heard = read_out(corral);
	printf("one more coke: %s\n", corral_strerror(add(corral, "coke", 250)));
	corral_close(corral);
}
