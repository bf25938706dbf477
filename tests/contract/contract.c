/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contract.c: the contract suite: what corral.h and corral(3) promise of each public call, run
 * against a location.
 *
 * Usage: contract LOCATION [PATTERN]
 *   LOCATION  as corral_open() takes it: there must be an arena, or another engine
 *   PATTERN   only the cases whose names match it, with * and ?
 * The carts of one run are those of a restaurant of its own, and are dropped afterwards: so the
 * location may be in use. Exit code 0: everything holds.
 *
 * The other tests of these calls (tests/api) know this implementation, too: that a version grows by
 * one, and what memory and locks look like.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "contract.h"

#define CASES_MAX 256

const char *contract_location;
char contract_restaurant[48];

_Noreturn void contract_give_up(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: must hold: %s\n", file, line, what);
	fflush(NULL);
	_exit(99);
}

struct corral_key contract_key(const char *session)
{
	return (struct corral_key){ corral_text(contract_restaurant), corral_text(session) };
}

struct corral *contract_open(unsigned flags)
{
	struct corral *corral = NULL;

	int r = corral_open(contract_location, flags, &corral);
	if (r < 0)
		print_error("%s: %s\n", contract_location, corral_why());
	assert_int_equal(r, 0);
	return corral;
}

/* ------------------------------------------------------------------- inputs */

struct corral_item contract_item(const char *menu_item_id, int64_t price_cents, uint32_t quantity)
{
	return (struct corral_item){ .menu_item_id = corral_text(menu_item_id),
				     .name = T("Item"),
				     .unit_price_cents = price_cents,
				     .quantity = quantity };
}

struct corral_op contract_op(const char *id, uint64_t if_version)
{
	return (struct corral_op){ .id = corral_text(id), .if_version = if_version };
}

struct corral_result contract_add(const struct contract *c, const char *menu_item_id,
				  int64_t price_cents, uint32_t quantity)
{
	struct corral_item item = contract_item(menu_item_id, price_cents, quantity);
	struct corral_result result = { 0 };

	gives(0, corral_add(c->corral, &c->key, &item, NULL, &result));
	return result;
}

struct corral_result contract_two_lines(const struct contract *c)
{
	(void)contract_add(c, "burger", 899, 2);
	return contract_add(c, "coke", 199, 1);
}

struct corral_head contract_head(const struct contract *c)
{
	struct corral_head head = { 0 };
	struct corral_view view;

	gives(0, corral_read_begin(c->corral, &c->key, &view));
	gives(0, corral_view_head(&view, &head));
	gives(0, corral_read_end(&view));
	return head;
}

struct corral_cart *contract_get(const struct contract *c)
{
	struct corral_cart *cart = NULL;

	gives(0, corral_get(c->corral, &c->key, &cart));
	return cart;
}

bool contract_same_text(struct corral_text a, struct corral_text b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* ---------------------------------------------------------------- all calls */

int contract_change(const struct contract *c, const struct corral_key *key, int which,
		    const struct corral_op *op, struct corral_result *ret)
{
	struct corral_text name = T("table"), value = T("7");
	struct corral_item item = contract_item("tea", 150, 1);
	struct corral_step steps[] = { { .kind = CORRAL_STEP_ADD, .item = &item },
				       { .kind = CORRAL_STEP_SET_TAX, .tax_ppm = 190000 } };

	switch (which) {
	case ADD:
		return corral_add(c->corral, key, &item, op, ret);
	case SET_TAX:
		return corral_set_tax(c->corral, key, 82500, op, ret);
	case SET_ATTRIBUTE:
		return corral_set_attribute(c->corral, key, &name, &value, op, ret);
	case SET_TTL:
		return corral_set_ttl(c->corral, key, HOUR_MS / 2, op, ret);
	case APPLY:
		return corral_apply(c->corral, key, steps, COUNT(steps), op, ret, NULL);
	case SET_QUANTITY:
		return corral_set_quantity(c->corral, key, 1, 5, op, ret);
	case REMOVE:
		return corral_remove(c->corral, key, 1, op, ret);
	case CLEAR:
		return corral_clear(c->corral, key, op, ret);
	case CHECKOUT:
		return corral_checkout(c->corral, key, op, ret);
	default:
		return corral_drop(c->corral, key, op, ret);
	}
}

/* ------------------------------------------------------------- several at once */

void *contract_shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(memory != MAP_FAILED);
	return memory;
}

struct crew {
	void (*body)(const struct contract_hand *hand);
	struct contract_hand hand;
	uint32_t *waiting; /* shared: until none is missing */
	pthread_t thread;
	pid_t pid;
};

static void *work(void *context)
{
	struct crew *crew = context;

	(void)__atomic_sub_fetch(crew->waiting, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(crew->waiting, __ATOMIC_ACQUIRE) > 0)
		sched_yield();
	crew->body(&crew->hand);
	return NULL;
}

static void work_alone(struct crew *crew)
{
	struct contract own = *crew->hand.c;

	must(corral_open(contract_location, 0, &own.corral) == 0);
	crew->hand.c = &own;
	(void)work(crew);
	corral_close(own.corral);
	_exit(0);
}

#define CREW_MAX 8

void contract_crew(const struct contract *c, bool processes, uint32_t count,
		   void (*body)(const struct contract_hand *hand), void *shared)
{
	static uint32_t *waiting;
	struct crew crew[CREW_MAX];

	assert_true(count <= CREW_MAX);
	if (waiting == NULL)
		waiting = contract_shared(sizeof(*waiting));
	*waiting = count;
	fflush(NULL);
	for (uint32_t i = 0; i < count; i++) {
		crew[i] = (struct crew){ body, { c, i, shared }, waiting, 0, 0 };
		if (!processes)
			gives(0, pthread_create(&crew[i].thread, NULL, work, &crew[i]));
		else if ((crew[i].pid = fork()) == 0)
			work_alone(&crew[i]);
		assert_true(crew[i].pid >= 0);
	}
	for (uint32_t i = 0; i < count; i++) {
		int status = 0;
		if (!processes)
			gives(0, pthread_join(crew[i].thread, NULL));
		else
			assert_int_equal(waitpid(crew[i].pid, &status, 0), crew[i].pid);
		assert_int_equal(status, 0);
	}
}

static int64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

int64_t contract_now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

int64_t contract_wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

void contract_sleep_ms(int64_t ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	if (ms > 0)
		(void)nanosleep(&time, NULL);
}

/* -------------------------------------------------------------------- cases */

static int begin(void **state)
{
	static uint32_t number;
	struct contract *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	snprintf(c->session, sizeof(c->session), "case-%u", ++number);
	c->key = contract_key(c->session);
	c->corral = contract_open(0);
	*state = c;
	return 0;
}

static int end(void **state)
{
	struct contract *c = *state;

	(void)corral_drop(c->corral, &c->key, NULL, NULL);
	corral_close(c->corral);
	free(c);
	return 0;
}

struct run { /* a case, for cmocka */
	const struct contract_case *of;
	struct contract *c;
};

static void run_case(void **state)
{
	struct run *run = *state;

	run->of->body(run->c);
}

static int begin_run(void **state)
{
	struct run *run = *state;

	return begin((void **)&run->c);
}

static int end_run(void **state)
{
	struct run *run = *state;

	return end((void **)&run->c);
}

static const struct contract_case *const tables[] = {
	attach_cases, read_cases,  watch_cases,    change_cases,   repeat_cases,   refuse_cases,
	apply_cases,  money_cases, checkout_cases, together_cases, scenario_cases,
};

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[CASES_MAX];
	static struct run runs[CASES_MAX];
	struct timespec now;
	size_t count = 0;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "Usage: contract LOCATION [PATTERN]\n");
		return 2;
	}
	contract_location = argv[1];
	if (argc == 3)
		cmocka_set_test_filter(argv[2]);
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(contract_restaurant, sizeof(contract_restaurant), "contract-%llx-%lx-%x",
		 (unsigned long long)now.tv_sec, now.tv_nsec, (unsigned)getpid());
	for (size_t i = 0; i < COUNT(tables); i++)
		for (const struct contract_case *one = tables[i]; one->name != NULL; one++) {
			if (count == CASES_MAX)
				return 2;
			runs[count].of = one;
			tests[count] = (struct CMUnitTest){ one->name, run_case, begin_run, end_run,
							    &runs[count] };
			count++;
		}
	return _cmocka_run_group_tests("contract", tests, count, NULL, NULL);
}
