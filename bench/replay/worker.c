/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.c: one worker process of the replay. It attaches to the arena as any worker would, adds
 * the lines it is given, and answers with the result and duration of corral_add().
 *
 * It is started as `corral-bench replay-worker DIR RESTAURANT SOCKET TEXT`, where SOCKET and TEXT
 * are descriptors that it inherits. It may be killed at any instruction: that is its purpose.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/parse.h"
#include "harness/options.h"
#include "orders.h"
#include "replay.h"
#include "wire.h"

struct worker {
	struct corral *corral;
	struct corral_text restaurant;
	const char *text;
	size_t size;
	int socket;
};

/* Add one line of the file, under the operation id that always belongs to this line. */
static int add_row(struct worker *worker, const struct order_row *row, uint32_t number,
		   struct wire_answer *answer)
{
	struct corral_modifier modifiers[CORRAL_MODIFIERS_MAX] = { 0 };
	char slug[ORDERS_NAME_MAX], id[32];
	struct corral_key key = { worker->restaurant, row->order_id };
	struct corral_item item = {
		.menu_item_id = { slug, order_slug(row->item_name, slug) },
		.name = row->item_name,
		.unit_price_cents = row->unit_price_cents,
		.quantity = row->quantity,
		.modifier_count = row->modifier_count,
		.modifiers = modifiers,
	};
	struct corral_op op = { .id = { id, (size_t)snprintf(id, sizeof(id), "line-%u", number) } };
	struct corral_result result = { 0 };
	uint64_t start;
	int r;

	for (uint32_t i = 0; i < row->modifier_count; i++)
		modifiers[i].name = row->modifiers[i];
	start = bench_now_ns();
	r = corral_add(worker->corral, &key, &item, &op, &result);
	answer->add_ns = bench_now_ns() - start;
	answer->applied = result.applied;
	return r;
}

static void do_task(struct worker *worker, const struct wire_task *task, struct wire_answer *answer)
{
	char why[ORDERS_WHY_BYTES];
	struct order_row row;

	answer->kind = WIRE_DONE;
	answer->line = task->line;
	if (task->at > worker->size || task->size > worker->size - task->at)
		answer->error = -EPROTO;
	else
		answer->error = order_row_parse(worker->text + task->at, task->size, &row, why);
	if (answer->error == 0)
		answer->error = add_row(worker, &row, task->number, answer);
}

static bool answer_with(const struct worker *worker, const struct wire_answer *answer)
{
	return send(worker->socket, answer, sizeof(*answer), MSG_NOSIGNAL) == sizeof(*answer);
}

/*
 * Wait until a task arrives, then take every task that has arrived. *ret_over: the replay has
 * ended or its process is gone.
 */
static uint32_t take_tasks(const struct worker *worker, struct wire_task tasks[WIRE_WINDOW],
			   bool *ret_over)
{
	uint32_t count = 0;

	while (count < WIRE_WINDOW) {
		int flags = count == 0 ? 0 : MSG_DONTWAIT;
		ssize_t n = recv(worker->socket, &tasks[count], sizeof(tasks[count]), flags);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n != sizeof(tasks[count]) || tasks[count].kind != WIRE_ADD) {
			*ret_over = true;
			break;
		}
		count++;
	}
	return count;
}

/*
 * Take the tasks that have arrived, do all of them, and only then answer. So a kill in between
 * leaves lines that are in the cart but not acknowledged: the case that operation ids exist for.
 */
static enum bench_exit serve(struct worker *worker)
{
	bool over = false;

	while (!over) {
		struct wire_answer answers[WIRE_WINDOW] = { 0 };
		struct wire_task tasks[WIRE_WINDOW];
		uint32_t count = take_tasks(worker, tasks, &over);

		for (uint32_t i = 0; i < count; i++)
			do_task(worker, &tasks[i], &answers[i]);
		for (uint32_t i = 0; i < count; i++)
			if (!answer_with(worker, &answers[i]))
				return BENCH_WRONG;
	}
	return BENCH_DONE;
}

enum bench_exit replay_worker_run(int argc, char **argv)
{
	struct wire_answer hello = { .kind = WIRE_HELLO };
	struct worker worker = { 0 };
	enum bench_exit result;
	uint64_t socket, text_fd;
	struct stat status;
	void *text;

	if (argc != 5 || parse_number(argv[3], 3, INT32_MAX, &socket) != NULL ||
	    parse_number(argv[4], 3, INT32_MAX, &text_fd) != NULL)
		return bench_usage("replay-worker is started by replay");
	worker.restaurant = corral_text(argv[2]);
	worker.socket = (int)socket;
	if (fstat((int)text_fd, &status) != 0 || status.st_size <= 0)
		return bench_usage("replay-worker has no text");
	worker.size = (size_t)status.st_size;
	text = mmap(NULL, worker.size, PROT_READ, MAP_SHARED, (int)text_fd, 0);
	if (text == MAP_FAILED)
		return BENCH_NO_ARENA;
	worker.text = text;
	hello.error = corral_open(argv[1], CORRAL_CATCH_SIGBUS, &worker.corral);
	if (hello.error < 0)
		bench_say("%s", corral_why());
	if (!answer_with(&worker, &hello) || hello.error < 0)
		return BENCH_NO_ARENA;
	result = serve(&worker);
	corral_close(worker.corral);
	munmap(text, worker.size);
	return result;
}
