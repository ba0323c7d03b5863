/* Makes app instances a0000001, … in a project of a store that no mount uses, quicker than mkdir does.
 *
 *   fixture STORE PROJECT COUNT [ISSUED]
 *
 * The first ISSUED get a copy of the certificate of app instance `sample` (with numbers of their own): enough for status, listing and
 * force_update, whose private keys nobody can read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store.h"

enum { BATCH = 20000 };

struct sample {
	struct generation_row row;
	rowid key;
	struct buffer cert, sealed;
};

static struct error err;

static void die(void)
{
	fprintf(stderr, "fixture: %s\n", err.text);
	exit(EXIT_FAILURE);
}

static void must(int r)
{
	if (r < 0)
		die();
}

static void take_sample(struct store *store, rowid project, struct sample *ret)
{
	struct signing_ca_row ca;
	struct app_row app;

	must(app_id_of_name(store, project, "sample", &app.id, &err));
	must(app_by_id(store, app.id, &app, &err));
	must(generation_by_id(store, app.generation, &ret->row, &err));
	must(signing_ca_by_id(store, ret->row.signing_ca, &ca, &err));
	ret->key = ca.key;
	must(generation_cert(store, app.generation, &ret->cert, &err));
	must(generation_sealed(store, app.generation, &ret->sealed, &err));
}

static void issue(struct store *store, const struct sample *sample, rowid app, int64_t number)
{
	struct generation_row row = sample->row;

	row.app = app;
	row.number = 1;
	row.not_after -= number % 1000; /* as if issued over some time */
	memcpy(row.serial + SERIAL_SIZE - sizeof(number), &number, sizeof(number));
	must(generation_insert(store, &row, sample->key, buffer_span(&sample->cert), buffer_span(&sample->sealed), &err));
	must(app_set_generation(store, app, row.id, 1, row.not_after - 30 * 86400, &err));
}

static void make(struct store *store, rowid project, int64_t count, int64_t issued, const struct sample *sample)
{
	const struct owner owner = {.mode = 0755, .created_at = time(NULL), .changed_at = time(NULL)};

	for (int64_t i = 1; i <= count; i++) {
		struct app_row app = {.project = project, .owner = owner};

		if (i % BATCH == 1)
			must(store_begin(store, &err));
		snprintf(app.name, sizeof(app.name), "a%07lld", (long long)i);
		must(app_insert(store, &app, &err));
		if (i <= issued)
			issue(store, sample, app.id, i);
		if (i % BATCH != 0 && i != count)
			continue;
		must(store_commit(store, &err));
		fprintf(stderr, "\r%lld of %lld app instances", (long long)i, (long long)count);
	}
	fprintf(stderr, "\n");
}

int main(int argc, char **argv)
{
	struct sample sample = {0};
	struct project_row project;
	struct store *store;
	int64_t count, issued;

	if (argc < 4) {
		fprintf(stderr, "usage: fixture STORE PROJECT COUNT [ISSUED]\n");
		return 2;
	}
	count = atoll(argv[3]);
	issued = argc > 4 ? atoll(argv[4]) : 0;
	must(store_open(argv[1], STORE_WRITE, &store, &err));
	must(project_by_name(store, argv[2], &project, &err));
	if (issued)
		take_sample(store, project.id, &sample);
	make(store, project.id, count, issued, &sample);
	must(store_begin(store, &err));
	must(project_add_apps(store, project.id, count, time(NULL), &err));
	must(project_add_issued(store, project.id, issued, &err));
	must(store_commit(store, &err));
	store_close(store);
	buffer_clear(&sample.cert);
	buffer_clear(&sample.sealed);
	return EXIT_SUCCESS;
}
