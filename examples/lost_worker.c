/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lost_worker.c: a worker is killed before it can say what it has done; another one goes on.
 *
 * The first worker adds an item, under an operation id (here the id of a language model's tool
 * call), and is killed before it can answer. The second worker cannot know whether the item is in
 * the cart, so it sends the same change with the same id again: it is applied once.
 *
 * With an agent's directory in $CORRAL_DIR it prints, the first time:
 *
 *   worker 1 is gone (signal 9)
 *   worker 2 sends call_7 again: it had been done
 *   worker 2 sends call_8: done now
 *   3 items, 20.48
 */
#include <corral.h>

#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct corral *open_store(void)
{
	struct corral *corral;

	if (corral_open(NULL, 0, &corral) < 0)
		errx(1, "%s", corral_why());
	return corral;
}

/* One tool call of the model: it may be sent any number of times. */
static struct corral_result tool_call(struct corral *corral, const char *call_id,
				      const char *item_id, int64_t cents, uint32_t quantity)
{
	const struct corral_key key = { corral_text("luigi"), corral_text("call-2") };
	const struct corral_item item = { .menu_item_id = corral_text(item_id),
					  .unit_price_cents = cents,
					  .quantity = quantity };
	const struct corral_op op = { .id = corral_text(call_id) };
	struct corral_result result;

	int r = corral_add(corral, &key, &item, &op, &result);
	if (r < 0)
		errx(1, "%s", corral_strerror(r));
	return result;
}

static void report(const char *call_id, const struct corral_result *result, const char *again)
{
	printf("worker 2 sends %s%s: %s\n", call_id, again,
	       result->applied ? "done now" : "it had been done");
}

int main(void)
{
	struct corral_result result;
	int status;
	pid_t worker = fork();

	if (worker < 0)
		err(1, "fork");
	if (worker == 0) { /* worker 1: a process of its own, with a handle of its own */
		(void)tool_call(open_store(), "call_7", "burger", 899, 2);
		raise(SIGKILL);
	}
	if (waitpid(worker, &status, 0) < 0)
		err(1, "waitpid");
	if (!WIFSIGNALED(status))
		errx(1, "worker 1 ended by itself");
	printf("worker 1 is gone (signal %d)\n", WTERMSIG(status));

	struct corral *corral = open_store();
	result = tool_call(corral, "call_7", "burger", 899, 2);
	report("call_7", &result, " again");
	result = tool_call(corral, "call_8", "coke", 250, 1);
	report("call_8", &result, "");
	printf("%u items, %lld.%02lld\n", result.item_count, (long long)(result.total_cents / 100),
	       (long long)(result.total_cents % 100));
	corral_close(corral);
}
