/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 60_agent_who.c: access to an agent's directory: an outsider has none, a member of its group may
 * do all that a worker does, and the control socket asks the kernel for the caller's identity, even
 * when the socket's mode was widened by mistake. Needs root, to become other users.
 */
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orders_support.h"

#include "common/client.h"

#define GROUP 54321
#define OWNER 54001
#define MEMBER 54002
#define OUTSIDER 54003

struct stage {
	struct yard yard;
	char directory[160];
	char agent[PATH_MAX];
	uid_t agent_uid;
	pid_t pid;
	/* the child's identity */
	uid_t uid;
	gid_t gid;
	gid_t supplementary; /* 0: none */
};

static bool be(uid_t uid, gid_t gid, gid_t supplementary)
{
	return setgroups(supplementary != 0 ? 1 : 0, &supplementary) == 0 &&
	       setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0;
}

static int become_agent(void *context)
{
	struct stage *stage = context;
	char group[16];

	alarm(0);
	must(stage->agent_uid == 0 || be(stage->agent_uid, stage->agent_uid, GROUP));
	if (access(stage->agent, X_OK) < 0)
		return CHILD_SKIPS; /* the build directory is closed to other users */
	snprintf(group, sizeof(group), "%u", GROUP);
	execl(stage->agent, "corral-agent", "--dir", stage->directory, "--size", "8M", "--group",
	      group, "--log-level", "error", (char *)NULL);
	return CHILD_FAILED;
}

static bool pings(const char *directory)
{
	json_t *answer = NULL;
	int r = agent_ask(directory, "ping", 1000, &answer);

	json_decref(answer);
	return r == 0;
}

static bool ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == pid;
}

/* Start an agent as that user with --group. Skips where it cannot run as that user. */
static void start(struct stage *stage, uid_t agent_uid)
{
	if (geteuid() != 0)
		skip_because("only root can be somebody else");
	memset(stage, 0, sizeof(*stage));
	yard_make_empty(&stage->yard);
	support_program("corral-agent", stage->agent);
	stage->agent_uid = agent_uid;
	snprintf(stage->directory, sizeof(stage->directory), "%s/dir", stage->yard.path);
	assert_int_equal(chmod(stage->yard.path, 0755), 0);
	assert_int_equal(chown(stage->yard.path, agent_uid, (gid_t)-1), 0);
	stage->pid = child_start(become_agent, stage);
	if (!wait_until(pings(stage->directory) || ended(stage->pid), SUPPORT_WAIT_MS) ||
	    !pings(stage->directory)) {
		assert_int_equal(child_wait(stage->pid), CHILD_SKIPS);
		yard_remove(&stage->yard);
		skip_because("other users cannot reach the build directory");
	}
}

static void stop(struct stage *stage)
{
	json_t *answer = NULL;

	assert_int_equal(agent_ask(stage->directory, "stop", SUPPORT_WAIT_MS, &answer), 0);
	json_decref(answer);
	assert_int_equal(child_wait(stage->pid), 0);
	yard_remove(&stage->yard);
}

static int as(struct stage *stage, uid_t uid, gid_t supplementary, int (*body)(void *))
{
	stage->uid = uid;
	stage->gid = uid;
	stage->supplementary = supplementary;
	return child_wait(child_start(body, stage));
}

/* ---------------------------------------------------------------- outsiders */

static void cannot_open(const char *directory, const char *name, int flags)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	errno = 0;
	must(open(path, flags | O_NONBLOCK | O_CLOEXEC, 0600) < 0 && errno == EACCES);
}

static int try_everything(void *context)
{
	struct stage *stage = context;
	const char *const names[] = { "arena", "lock", "agent.sock", "agent.log", "." };
	struct corral *corral = NULL;

	must(be(stage->uid, stage->gid, stage->supplementary));
	for (size_t i = 0; i < COUNT(names);
	     i++) { /* a process that cannot open a file cannot lock a byte of it */
		cannot_open(stage->directory, names[i], O_RDONLY);
		cannot_open(stage->directory, names[i], O_WRONLY);
		cannot_open(stage->directory, names[i], O_PATH | O_NOFOLLOW);
	}
	cannot_open(stage->directory, "mine", O_RDWR | O_CREAT);
	must(corral_open(stage->directory, 0, &corral) == -EACCES);
	must(strlen(corral_why()) > 15);
	must(!pings(stage->directory));
	return 0;
}

/* The same with the directory opened up by mistake: each file has its own protection. */
static int try_files(void *context)
{
	struct stage *stage = context;
	const char *const names[] = { "arena", "lock", "agent.sock" };
	struct corral *corral = NULL;
	char path[PATH_MAX];

	must(be(stage->uid, stage->gid, stage->supplementary));
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", stage->directory, names[i]);
		must(access(path, R_OK) < 0 && errno == EACCES);
		must(access(path, W_OK) < 0 && errno == EACCES);
		must(unlink(path) < 0 && errno == EACCES);
	}
	must(corral_open(stage->directory, 0, &corral) == -EACCES);
	must(!pings(stage->directory));
	return 0;
}

static void an_outsider_can_do_nothing(void **state)
{
	(void)state;
	struct stage stage;

	start(&stage, 0);
	assert_int_equal(as(&stage, OUTSIDER, 0, try_everything), 0);
	assert_int_equal(as(&stage, OUTSIDER, OUTSIDER + 1, try_everything), 0);
	assert_int_equal(chmod(stage.directory, 02775), 0);
	assert_int_equal(as(&stage, OUTSIDER, 0, try_files), 0);
	stop(&stage);
}

/* ------------------------------------------------------------------ members */

static int work(void *context)
{
	struct stage *stage = context;
	struct corral *corral;
	struct corral_result result;
	const struct corral_key key = { corral_text("r"), corral_text("s") };
	const struct corral_item item = { .menu_item_id = corral_text("i"), .quantity = 1 };

	must(be(stage->uid, stage->gid, stage->supplementary));
	must(corral_open(stage->directory, 0, &corral) == 0);
	must(corral_add(corral, &key, &item, NULL, &result) == 0);
	corral_close(corral);
	must(pings(stage->directory));
	return 0;
}

static void has_group(const struct stage *stage, const char *name, mode_t mode)
{
	struct stat st;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", stage->directory, name);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_gid, GROUP);
	assert_int_equal(st.st_mode & 07777, mode);
	assert_int_equal(st.st_uid, stage->agent_uid);
}

static void members_work(uid_t agent_uid)
{
	struct stage stage;

	start(&stage, agent_uid);
	has_group(&stage, ".", 02770);
	has_group(&stage, "arena", 0660);
	has_group(&stage, "lock", 0660);
	has_group(&stage, "agent.sock", 0660);
	assert_int_equal(as(&stage, MEMBER, GROUP, work), 0);
	assert_int_equal(as(&stage, agent_uid, 0, work), 0);
	assert_int_equal(as(&stage, OUTSIDER, 0, try_everything), 0);
	stop(&stage);
}

static void a_member_of_the_group_works_with_the_agent_of_root(void **state)
{
	(void)state;
	members_work(0);
}

static void the_agent_needs_no_root_only_the_group(void **state)
{
	(void)state;
	members_work(OWNER);
}

/* As a user outside that group: the agent exits with 3 and leaves nothing. */
static int become_agent_of_no_member(void *context)
{
	struct stage *stage = context;

	alarm(0);
	must(be(MEMBER, MEMBER, 0));
	if (access(stage->agent, X_OK) < 0)
		return CHILD_SKIPS;
	execl(stage->agent, "corral-agent", "--dir", stage->directory, "--group", "54321",
	      (char *)NULL);
	return CHILD_FAILED;
}

static void a_group_that_is_not_ours_cannot_be_given(void **state)
{
	(void)state;
	struct stage stage = { .pid = 0 };

	yard_make_empty(&stage.yard);
	support_program("corral-agent", stage.agent);
	snprintf(stage.directory, sizeof(stage.directory), "%s/dir", stage.yard.path);
	assert_int_equal(chown(stage.yard.path, MEMBER, (gid_t)-1), 0);
	int code = child_wait(child_start(become_agent_of_no_member, &stage));
	if (code != CHILD_SKIPS)
		assert_int_equal(code, 3);
	assert_int_not_equal(access(stage.directory, F_OK), 0);
	yard_remove(&stage.yard);
}

/* -------------------------------------------------------------- credentials */

static int ask(void *context)
{
	struct stage *stage = context;

	must(be(stage->uid, stage->gid, stage->supplementary));
	return pings(stage->directory) ? 0 : 1;
}

/* The socket's mode no longer keeps outsiders out: the caller's credentials do. */
static void the_control_socket_asks_the_kernel_who_is_there(void **state)
{
	(void)state;
	struct stage stage;
	char path[PATH_MAX];

	start(&stage, OWNER);
	snprintf(path, sizeof(path), "%s/agent.sock", stage.directory);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(chmod(stage.directory, 02771), 0);
	assert_int_equal(as(&stage, OUTSIDER, 0, ask), 1);
	assert_int_equal(as(&stage, OUTSIDER, OUTSIDER + 1, ask), 1);
	assert_int_equal(as(&stage, OUTSIDER, OWNER, ask),
			 1); /* the agent's own group is not the directory's */
	assert_int_equal(as(&stage, MEMBER, GROUP, ask), 0);
	assert_int_equal(as(&stage, OWNER, 0, ask), 0);
	stop(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_outsider_can_do_nothing),
		cmocka_unit_test(a_member_of_the_group_works_with_the_agent_of_root),
		cmocka_unit_test(the_agent_needs_no_root_only_the_group),
		cmocka_unit_test(a_group_that_is_not_ours_cannot_be_given),
		cmocka_unit_test(the_control_socket_asks_the_kernel_who_is_there),
	};

	if (support_threads_only() || geteuid() != 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
