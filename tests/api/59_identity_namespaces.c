/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 59_identity_namespaces.c: workers in other namespaces, as in containers that share the directory:
 * each one's identity is its byte of DIR/lock, regardless of its pid there. Needs the right to make
 * namespaces; skipped without it.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "identity_kit.h"

#include "base/atomic.h"

struct container {
	struct yard yard;
	struct corral *corral; /* outside */
	struct corral_key key;
	int (*worker)(struct container *container); /* runs as pid 1 in there */
	int flags;                                  /* of unshare() */
	uint32_t holds;
	uint32_t go;
	uint32_t refused;
	int32_t pid; /* as the worker sees itself */
};

static struct container *container_new(void)
{
	struct container *container = support_shared(sizeof(*container));

	orders_yard(&container->yard, 4u << 20, 100, 30 * 60 * 1000);
	container->corral = yard_open(&container->yard, 0);
	container->key = orders_key("restaurant", "session");
	assert_int_equal(
		orders_add(container->corral, &container->key, "burger", 899, 1, NULL, NULL), 0);
	assert_int_equal(corral_set_patience(container->corral, IDENTITY_PATIENCE_MS), 0);
	return container;
}

static void container_end(struct container *container)
{
	corral_close(container->corral);
	yard_check(&container->yard, NULL);
	yard_remove(&container->yard);
}

static int add_here(const struct container *container)
{
	return orders_add(container->corral, &container->key, "coke", 199, 1, NULL, NULL);
}

static bool written(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool whole = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return whole;
}

/*
 * Fork into a namespace. child_start() would kill the child as an orphan: its parent has no pid
 * there.
 */
static pid_t start_inside(int (*body)(struct container *), struct container *container)
{
	pid_t pid = fork();

	must(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(2 * SUPPORT_WAIT_MS / 1000);
	_exit(body(container));
}

/*
 * In a child of the test: make the namespaces and a worker in them, and exit with the worker's
 * code.
 */
static int be_container(void *context)
{
	struct container *container = context;

	if (unshare(container->flags) < 0)
		return CHILD_SKIPS;
	if ((container->flags & CLONE_NEWTIME) != 0 &&
	    !written("/proc/self/timens_offsets", "monotonic 100000 0\n"))
		return CHILD_SKIPS;
	return child_wait(start_inside(container->worker, container));
}

/* Wait until the worker has set the word; false: namespaces are not available. */
static bool container_says(pid_t pid, const uint32_t *word)
{
	int status = 0;
	bool over = false;

	assert_true(wait_until(load_acquire(word) != 0 ||
				       (over = waitpid(pid, &status, WNOHANG) == pid),
			       SUPPORT_WAIT_MS));
	if (over)
		assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : -1, CHILD_SKIPS);
	return !over;
}

/* Run it to its end, and remove the yard. Its exit code is 0, or the test is skipped. */
static void container_run(struct container *container, int (*worker)(struct container *container),
			  int flags)
{
	container->worker = worker;
	container->flags = flags;
	struct corral *ours = container->corral;
	int code = child_wait(child_start(be_container, container));
	container->corral = ours;
	container_end(container);
	if (code == CHILD_SKIPS)
		skip_because("namespaces are not allowed here");
	assert_int_equal(code, 0);
}

/* ------------------------------------------------------------------ holders */

static int hold_the_cart(struct container *container)
{
	struct corral *corral;

	must(corral_open(container->yard.path, 0, &corral) == 0);
	struct slot *slot = identity_take_cart(corral, &container->key);
	store_release(&container->pid, getpid());
	store_release(&container->holds, 1);
	identity_wait_for(&container->go);
	identity_drop_cart(corral, slot);
	corral_close(corral);
	return 0;
}

static int hold_as_child(void *context)
{
	return hold_the_cart(context);
}

static void worker_in_a_container_is_judged_by_its_byte(int flags, bool dies)
{
	NEEDS_PROCESSES();
	struct container *container = container_new();

	container->worker = hold_the_cart;
	container->flags = flags;
	pid_t pid = child_start(be_container, container);
	if (!container_says(pid, &container->holds)) {
		container_end(container);
		skip_because("namespaces are not allowed here");
	}
	assert_int_equal(container->pid, (flags & CLONE_NEWPID) != 0 ? 1 : container->pid);
	assert_int_equal(identity_record_of(container->corral, 0)->pid, container->pid);
	assert_int_equal(identity_bury_all(container->corral), 0);
	assert_int_equal(add_here(container), -EBUSY);
	if (dies) {
		child_kill(pid); /* the worker dies with its namespace */
		assert_true(wait_until(add_here(container) == 0, SUPPORT_WAIT_MS));
	} else {
		store_release(&container->go, 1);
		assert_int_equal(child_wait(pid), 0);
		assert_int_equal(add_here(container), 0);
	}
	assert_null(identity_record_of(container->corral, 0));
	container_end(container);
}

static void a_worker_that_is_pid_1_in_its_namespace_is_not_robbed(void **state)
{
	(void)state;
	worker_in_a_container_is_judged_by_its_byte(CLONE_NEWPID, false);
}

static void a_worker_killed_in_its_pid_namespace_is_repaired_from_outside(void **state)
{
	(void)state;
	worker_in_a_container_is_judged_by_its_byte(CLONE_NEWPID, true);
}

static void a_worker_in_a_container_is_not_robbed(void **state)
{
	(void)state;
	worker_in_a_container_is_judged_by_its_byte(
		CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC, false);
}

static void a_worker_killed_in_a_container_is_repaired_from_outside(void **state)
{
	(void)state;
	worker_in_a_container_is_judged_by_its_byte(
		CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC, true);
}

/* The reverse: a worker in a container meets workers outside. */
static int wait_in_vain_then_repair(struct container *container)
{
	struct corral *corral;

	must(corral_open(container->yard.path, 0, &corral) == 0);
	must(corral_set_patience(corral, IDENTITY_PATIENCE_MS) == 0);
	must(orders_add(corral, &container->key, "coke", 199, 1, NULL, NULL) == -EBUSY);
	store_release(&container->refused, 1);
	must(wait_until(orders_add(corral, &container->key, "coke", 199, 1, NULL, NULL) == 0,
			SUPPORT_WAIT_MS));
	corral_close(corral);
	return 0;
}

static void a_worker_in_a_container_repairs_those_outside_once_they_are_dead(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct container *container = container_new();

	pid_t holder = child_start(hold_as_child, container);
	identity_wait_for(&container->holds);
	container->worker = wait_in_vain_then_repair;
	container->flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID;
	pid_t pid = child_start(be_container, container);
	bool came = container_says(pid, &container->refused);
	child_kill(holder);
	if (came)
		assert_int_equal(child_wait(pid), 0);
	else
		(void)wait_until(identity_bury_all(container->corral) == 1, SUPPORT_WAIT_MS);
	container_end(container);
	if (!came)
		skip_because("namespaces are not allowed here");
}

/* --------------------------------------------------------------------- pids */

/* Arrange that the next process of this pid namespace, which has no other users, gets this pid. */
static bool next_pid_is(int32_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid - 1);
	return written("/proc/sys/kernel/ns_last_pid", text);
}

static int look_alive(void *context)
{
	(void)context;
	pause();
	return 0;
}

static int add_as_child(void *context)
{
	struct container *container = context;
	struct corral *corral;

	must(corral_open(container->yard.path, 0, &corral) == 0);
	must(orders_add(corral, &container->key, "coke", 199, 1, NULL, NULL) == 0);
	corral_close(corral);
	return 0;
}

/*
 * A worker dies while it holds the cart; its pid goes to a live process that is no worker, and then
 * to a third one that is a worker.
 */
static int use_a_pid_again(struct container *container)
{
	pid_t wanted = container->pid;

	if (!next_pid_is(wanted))
		return CHILD_SKIPS;
	pid_t holder = child_start(hold_as_child, container);
	identity_wait_for(&container->holds);
	must(holder == wanted && container->pid == wanted);
	child_kill(holder);
	must(next_pid_is(wanted));
	pid_t stranger = child_start(look_alive, NULL);
	must(stranger == wanted);
	must(wait_until(add_as_child(container) == 0, SUPPORT_WAIT_MS));
	child_kill(stranger);
	must(next_pid_is(wanted));
	pid_t worker = child_start(add_as_child, container);
	must(worker == wanted);
	must(child_wait(worker) == 0);
	return 0;
}

static void a_pid_that_lives_again_keeps_no_dead_worker_alive(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct container *container = container_new();

	container->pid = 20000;
	while (kill(container->pid, 0) == 0) /* outside our pid namespace */
		container->pid++;
	container_run(container, use_a_pid_again, CLONE_NEWPID);
}

/* Two live workers have the same pid at the same time. */
static int hold_under_our_pid(struct container *container)
{
	pid_t same = (pid_t)load_acquire(&container->pid);

	if (!next_pid_is(same))
		return CHILD_SKIPS;
	pid_t holder = child_start(hold_as_child, container);
	must(holder == same);
	must(child_wait(holder) == 0);
	return 0;
}

static void a_worker_with_the_pid_of_another_is_told_from_it(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct container *container = container_new();

	container->worker = hold_under_our_pid;
	container->flags = CLONE_NEWPID;
	container->pid = getpid();
	pid_t pid = child_start(be_container, container);
	if (!container_says(pid, &container->holds)) {
		container_end(container);
		skip_because("namespaces are not allowed here");
	}
	assert_int_equal(identity_record_of(container->corral, 0)->pid, getpid());
	assert_int_equal(identity_bury_all(container->corral), 0);
	assert_int_equal(add_here(container), -EBUSY);
	store_release(&container->go, 1);
	assert_int_equal(child_wait(pid), 0);
	assert_int_equal(add_here(container), 0);
	container_end(container);
}

/*
 * Both have pid 1: a child has the same thread id as its parent, and the parent's attachments in
 * its memory.
 */
static int leave_as_another_pid_1(struct container *container)
{
	must(getpid() == 1);
	must(corral_leave_thread(container->corral) == 0);
	must(add_here(container) == 0);
	must(corral_leave_thread(container->corral) == 0);
	return 0;
}

static int fork_another_pid_1(struct container *container)
{
	struct corral_view view;
	struct actor *actor;

	must(corral_open(container->yard.path, 0, &container->corral) == 0);
	must(corral_read_begin(container->corral, &container->key, &view) == 0);
	must(handle_actor(container->corral, &actor) == 0);
	must(getpid() == 1);
	must(unshare(CLONE_NEWPID) == 0);
	must(child_wait(start_inside(leave_as_another_pid_1, container)) == 0);
	must(actor->record->nest == 1 && actor->record->reader != 0);
	must(actor->record->owner == container->corral->share->life.process + 1);
	must(corral_read_end(&view) == 0);
	corral_close(container->corral);
	return 0;
}

static void a_child_with_its_parents_thread_id_is_not_its_parent(void **state)
{
	(void)state;
	NEEDS_WIPING_FORK();

	container_run(container_new(), fork_another_pid_1, CLONE_NEWPID);
}

/* -------------------------------------------------------------------- mounts */

static int use_through_another_path(struct container *container)
{
	char path[64] = "/tmp/corral-elsewhere-XXXXXX";
	struct corral_head head;
	struct corral *corral;

	if (mkdtemp(path) == NULL || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(container->yard.path, path, NULL, MS_BIND, NULL) < 0)
		return CHILD_SKIPS;
	int r = corral_open(path, 0, &corral);
	must(r == 0);
	must(orders_add(corral, &container->key, "coke", 199, 1, NULL, NULL) == 0);
	must(identity_bury_all(corral) == 0); /* the workers under the other name are alive */
	corral_close(corral);
	must(orders_head(container->corral, &container->key, &head) == 0 && head.item_count == 2);
	must(umount2(path, MNT_DETACH) == 0);
	(void)rmdir(path);
	return 0;
}

static void the_same_directory_under_another_name_is_the_same_arena(void **state)
{
	(void)state;
	NEEDS_PROCESSES();

	container_run(container_new(), use_through_another_path, CLONE_NEWNS);
}

/* --------------------------------------------------------------------- time */

static int attach_in_another_time(struct container *container)
{
	struct corral_head head;
	struct corral *corral;

	must(corral_open(container->yard.path, 0, &corral) == -EXDEV);
	must(strstr(corral_why(), "time namespace") != NULL);
	/* nor with an inherited handle, even on a second try */
	must(orders_head(container->corral, &container->key, &head) == -EXDEV);
	must(add_here(container) == -EXDEV);
	corral_close(container->corral);
	return 0;
}

static void another_time_namespace_is_refused_even_with_an_inherited_handle(void **state)
{
	(void)state;
	NEEDS_WIPING_FORK();

	container_run(container_new(), attach_in_another_time, CLONE_NEWTIME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_that_is_pid_1_in_its_namespace_is_not_robbed),
		cmocka_unit_test(a_worker_killed_in_its_pid_namespace_is_repaired_from_outside),
		cmocka_unit_test(a_worker_in_a_container_is_not_robbed),
		cmocka_unit_test(a_worker_killed_in_a_container_is_repaired_from_outside),
		cmocka_unit_test(a_worker_in_a_container_repairs_those_outside_once_they_are_dead),
		cmocka_unit_test(a_pid_that_lives_again_keeps_no_dead_worker_alive),
		cmocka_unit_test(a_worker_with_the_pid_of_another_is_told_from_it),
		cmocka_unit_test(a_child_with_its_parents_thread_id_is_not_its_parent),
		cmocka_unit_test(the_same_directory_under_another_name_is_the_same_arena),
		cmocka_unit_test(another_time_namespace_is_refused_even_with_an_inherited_handle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
