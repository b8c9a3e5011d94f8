/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What many rules cost: policies of more and more path rules and address prefixes are loaded, and
 * asked; beside it stands the same question put to the rules one by one, in their order.
 *
 *   rules [COUNT...]      (10 1000 100000)
 *
 * Each line is JSON: kind, rules, load_ms, index_ns and list_ns (medians of one question, over
 * questions that match nothing and ones that match a random rule), memory_bytes.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/address.h"
#include "daemon/policy/pattern.h"
#include "daemon/policy/rule.h"

#define QUESTIONS 4000u
#define SAMPLES   15u

/* One question; `number` beyond the rules is answered by none of them. */
struct question {
	char path[96];
	struct policy_endpoint endpoint;
};

struct kind {
	const char *name;
	enum policy_section section;
	void (*write_rule)(FILE *file, unsigned int number);
	struct question (*ask)(unsigned int number);
	bool (*matches)(const struct policy_subject *subject, const struct question *question);
	struct policy_verdict (*decide)(
		const struct policy *policy, const struct question *question);
};

static double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* ---- paths ---- */

static void write_path(FILE *file, unsigned int number)
{
	fprintf(file, "allow read = /srv/d%u/e%u/f%u/**\n", number % 97, number % 1009, number);
}

static struct question ask_path(unsigned int number)
{
	struct question question;

	snprintf(question.path, sizeof(question.path), "/srv/d%u/e%u/f%u/a/file", number % 97,
		number % 1009, number);
	return question;
}

static bool path_matches(const struct policy_subject *subject, const struct question *question)
{
	return pattern_matches(subject->path.pattern, question->path, strlen(question->path));
}

static struct policy_verdict decide_path(
	const struct policy *policy, const struct question *question)
{
	return policy_decide_file(policy, OPERATION_READ, question->path);
}

/* ---- prefixes ---- */

static void write_prefix(FILE *file, unsigned int number)
{
	fprintf(file, "allow connect = tcp %u.%u.%u.0/24:443\n", 10 + (number >> 16),
		number >> 8 & 255, number & 255);
}

static struct question ask_prefix(unsigned int number)
{
	struct question question = {.endpoint = {.kind = ENDPOINT_TCP,
					    .family = AF_INET,
					    .address = {(uint8_t)(10 + (number >> 16)),
						    (uint8_t)(number >> 8), (uint8_t)number, 7},
					    .port = 443}};

	return question;
}

static bool prefix_matches(const struct policy_subject *subject, const struct question *question)
{
	return endpoint_subject_matches(&subject->endpoint, &question->endpoint);
}

static struct policy_verdict decide_prefix(
	const struct policy *policy, const struct question *question)
{
	return policy_decide_endpoint(policy, OPERATION_CONNECT, &question->endpoint);
}

static const struct kind kinds[] = {
	{"paths", POLICY_FILES, write_path, ask_path, path_matches, decide_path},
	{"prefixes", POLICY_NETWORK, write_prefix, ask_prefix, prefix_matches, decide_prefix},
};

/* ---- measuring ---- */

static const struct policy_rule *walk(
	const struct policy *policy, const struct kind *kind, const struct question *question)
{
	size_t count;
	const struct policy_rule *rules = policy_rules(policy, kind->section, &count);

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < rules[i].subject_count; k++) {
			if (kind->matches(&rules[i].subjects[k], question)) {
				return &rules[i];
			}
		}
	}
	return &rules[count - 1];
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return values[count / 2];
}

/* The nanoseconds of one question, by the index or by a walk. */
static double measure(const struct policy *policy, const struct kind *kind, unsigned int rules,
	bool by_walk, unsigned int questions)
{
	double samples[SAMPLES];

	for (unsigned int i = 0; i < SAMPLES; i++) {
		double begin, total = 0;

		for (unsigned int k = 0; k < questions; k++) {
			struct question question = kind->ask((unsigned int)rand() % (2 * rules));
			const struct policy_rule *rule;

			begin = now_ns();
			rule = by_walk ? walk(policy, kind, &question)
				       : kind->decide(policy, &question).rule;
			total += now_ns() - begin;
			if (!rule) {
				abort();
			}
		}
		samples[i] = total / questions;
	}
	return median(samples, SAMPLES);
}

static bool write_policy(const char *path, const struct kind *kind, unsigned int rules)
{
	cleanup_file FILE *file = fopen(path, "we");

	if (!file) {
		return false;
	}
	fprintf(file, "[%s]\ndefault = deny\n", policy_section_name(kind->section));
	for (unsigned int i = 0; i < rules; i++) {
		kind->write_rule(file, i);
	}
	return fflush(file) == 0 && !ferror(file);
}

static int bench(const struct kind *kind, unsigned int rules)
{
	char path[] = "/tmp/usher-rules-XXXXXX";
	cleanup_fd int fd = mkstemp(path);
	cleanup_policy struct policy *policy = NULL;
	struct policy_options options = {0};
	struct policy_report report = {0};
	double loads[SAMPLES];
	size_t before = 0;
	int r = fd < 0 || !write_policy(path, kind, rules) ? -1 : 0;

	for (unsigned int i = 0; r == 0 && i < SAMPLES; i++) {
		double begin;

		policy_free(policy);
		policy = NULL;
		before = mallinfo2().uordblks + mallinfo2().hblkhd;
		begin = now_ns();
		r = policy_load(&policy, path, &options, &report);
		loads[i] = now_ns() - begin;
		policy_report_finish(&report);
	}
	unlink(path);
	if (r < 0) {
		return r;
	}
	printf("{\"kind\": \"%s\", \"rules\": %u, \"load_ms\": %.3f, \"index_ns\": %.0f, "
	       "\"list_ns\": %.0f, \"memory_bytes\": %zu}\n",
		kind->name, rules, median(loads, SAMPLES) / 1e6,
		measure(policy, kind, rules, false, QUESTIONS),
		measure(policy, kind, rules, true, rules > 10000 ? 20 : QUESTIONS / 10),
		mallinfo2().uordblks + mallinfo2().hblkhd - before);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	static const unsigned int usual[] = {10, 1000, 100000};
	unsigned int count = argc > 1 ? (unsigned int)argc - 1 : array_length(usual);

	for (size_t k = 0; k < array_length(kinds); k++) {
		for (unsigned int i = 0; i < count; i++) {
			unsigned int rules =
				argc > 1 ? (unsigned int)strtoul(argv[i + 1], NULL, 10) : usual[i];

			if (rules == 0 || bench(&kinds[k], rules) < 0) {
				fprintf(stderr, "rules: policies of %u rules cannot be measured\n",
					rules);
				return 1;
			}
		}
	}
	return 0;
}
