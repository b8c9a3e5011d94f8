/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The questions' readers, one a kind, and the system calls that carry each kind.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/explain.h"
#include "daemon/base/cleanup.h"
#include "daemon/policy/address.h"
#include "daemon/policy/socket_subject.h"
#include "daemon/policy/syscall_subject.h"
#include "daemon/policy/words.h"

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "usher: %s: %s\n", what, why);
	return -EINVAL;
}

static void add_call(struct explain_question *question, const char *name, int nr,
	const unsigned long long args[6])
{
	struct explain_call *call = &question->calls[question->call_count];

	if (nr < 0) {
		return; /* not on this machine */
	}
	call->name = name;
	call->nr = nr;
	memcpy(call->args, args, sizeof(call->args));
	question->call_count++;
}

/* The path as the program would see it resolved: what does not exist yet is in a directory that
 * does. */
static char *resolve_path(const char *path)
{
	cleanup_free char *head = NULL;
	cleanup_free char *tail = NULL;
	cleanup_free char *directory = NULL;
	char *resolved = realpath(path, NULL);

	if (resolved || errno != ENOENT) {
		return resolved;
	}
	head = strdup(path);
	tail = strdup(path);
	if (!head || !tail) {
		return NULL;
	}
	directory = realpath(dirname(head), NULL);
	if (!directory && errno != ENOMEM && path[0] == '/') {
		return strdup(path);
	}
	if (!directory || asprintf(&resolved, "%s/%s", strcmp(directory, "/") ? directory : "",
				  basename(tail)) < 0) {
		return NULL;
	}
	return resolved;
}

static unsigned long long open_flags(unsigned int operations)
{
	unsigned long long flags = O_RDONLY;

	if (operations & OPERATION_WRITE) {
		flags = operations & OPERATION_READ ? O_RDWR : O_WRONLY;
	}
	return operations & OPERATION_CREATE ? flags | O_CREAT : flags;
}

static int ask_open(struct explain_question *question)
{
	unsigned int operations = question->operations;
	unsigned long long flags = open_flags(operations);
	cleanup_free char *names = NULL;

	add_call(question, "openat", SCMP_SYS(openat),
		(unsigned long long[6]){(unsigned int)AT_FDCWD, 0, flags});
	add_call(question, "open", SCMP_SYS(open), (unsigned long long[6]){0, flags});
	if (operations == (OPERATION_WRITE | OPERATION_CREATE)) {
		add_call(question, "creat", SCMP_SYS(creat), (unsigned long long[6]){0});
	}
	add_call(question, "openat2", SCMP_SYS(openat2), (unsigned long long[6]){0});
	if (asprintf(&names, "open for%s%s%s", operations & OPERATION_READ ? " read" : "",
		    operations & OPERATION_WRITE ? " write" : "",
		    operations & OPERATION_CREATE ? " create" : "") < 0 ||
		asprintf(&question->asked, "%s: %s", names, question->path) < 0) {
		question->asked = NULL;
		return -ENOMEM;
	}
	return 0;
}

#define OPEN_EXPECTED "one PATH is expected: open [-r|-w|-rw|-c] PATH"

static int parse_open(struct explain_question *question, int argc, char **argv)
{
	int option;

	question->section = POLICY_FILES;
	optind = 0;
	while ((option = getopt(argc, argv, "+rwc")) != -1) {
		switch (option) {
		case 'r':
			question->operations |= OPERATION_READ;
			break;
		case 'w':
			question->operations |= OPERATION_WRITE;
			break;
		case 'c':
			question->operations |= OPERATION_CREATE;
			break;
		default:
			return complain("open", OPEN_EXPECTED);
		}
	}
	if (optind != argc - 1) {
		return complain("open", OPEN_EXPECTED);
	}
	if (!question->operations) {
		question->operations = OPERATION_READ;
	} else if (question->operations == OPERATION_CREATE) {
		question->operations |= OPERATION_WRITE; /* as creat(2) */
	}
	question->path = resolve_path(argv[optind]);
	if (!question->path) {
		return complain(argv[optind], strerror(errno));
	}
	return ask_open(question);
}

/* The system calls that ask for one operation on a name, the usual one first. */
static const struct operation_calls {
	const char *word; /* of the command line */
	unsigned int operation;
	struct {
		const char *name;
		int nr;
	} calls[EXPLAIN_CALLS_MAX];
} operation_calls[] = {
#define CALL(name)                    \
	{                             \
#name, SCMP_SYS(name) \
	}
	{"create", OPERATION_CREATE, {CALL(mkdirat), CALL(mkdir), CALL(symlinkat), CALL(mknodat)}},
	{"remove", OPERATION_REMOVE, {CALL(unlinkat), CALL(unlink), CALL(rmdir), CALL(renameat2)}},
	{"metadata", OPERATION_METADATA,
		{CALL(fchmodat), CALL(chmod), CALL(fchownat), CALL(utimensat)}},
	{"stat", OPERATION_STAT, {CALL(newfstatat), CALL(stat), CALL(statx), CALL(readlinkat)}},
	{"exec", OPERATION_EXECUTE, {CALL(execve), CALL(execveat)}},
#undef CALL
};

/* `remove PATH` and its like. */
static int parse_operation(struct explain_question *question, int argc, char **argv)
{
	const struct operation_calls *kind = operation_calls;

	while (strcmp(kind->word, argv[0]) != 0) {
		kind++; /* one of `kinds`, which has them all */
	}
	question->section = POLICY_FILES;
	question->operations = kind->operation;
	if (argc != 2) {
		return complain(argv[0], "one PATH is expected");
	}
	question->path = resolve_path(argv[1]);
	if (!question->path) {
		return complain(argv[1], strerror(errno));
	}
	for (size_t i = 0; i < EXPLAIN_CALLS_MAX && kind->calls[i].name; i++) {
		/* A path that is there: some of these take none for a descriptor's own. */
		add_call(question, kind->calls[i].name, kind->calls[i].nr,
			(unsigned long long[6]){(unsigned int)AT_FDCWD, 1});
	}
	if (asprintf(&question->asked, "%s: %s", kind->word, question->path) < 0) {
		question->asked = NULL;
		return -ENOMEM;
	}
	return 0;
}

static unsigned int no_service(void *user, const char *service, const char *protocol)
{
	(void)user;
	(void)service;
	(void)protocol;
	return 0;
}

/* Some address that the name leads to: what rules say of single addresses is left open. */
static int take_name(struct explain_question *question, const char *name)
{
	question->path = strdup(name);
	question->name = question->path;
	question->endpoint.names = &question->name;
	question->endpoint.name_count = 1;
	return question->path ? 0 : -ENOMEM;
}

/* An address is what a rule's subject would be that matches it alone. */
static int take_endpoint(
	struct explain_question *question, const struct endpoint_subject *subject, const char *text)
{
	struct policy_endpoint *endpoint = &question->endpoint;
	unsigned int bits = subject->family == AF_INET ? 32 : 128;

	if (subject->host && !subject->host_below && subject->port_first == subject->port_last) {
		endpoint->kind = subject->kind;
		endpoint->port = subject->port_first;
		return take_name(question, subject->host);
	}
	if (subject->any || subject->family == AF_UNSPEC || subject->prefix != bits ||
		subject->port_first != subject->port_last) {
		return complain(text, "one address (or name) and one port are expected");
	}
	endpoint->kind = subject->kind;
	endpoint->family = subject->family;
	endpoint->port = subject->port_first;
	memcpy(endpoint->address, subject->address, sizeof(endpoint->address));
	return 0;
}

static int parse_internet(struct explain_question *question, long word, const char *text)
{
	const struct service_lookup services = {.find = no_service};
	struct endpoint_subject subject = {0};
	struct mistake mistake;
	size_t length = strlen(text);
	cleanup_free bool *literal = calloc(length + 1, sizeof(*literal));
	int error;

	if (!literal) {
		return -ENOMEM;
	}
	error = endpoint_subject_parse(&subject, word, text, literal, length, &services, &mistake);
	if (error) {
		return error == -EINVAL ? complain(text, mistake.text) : error;
	}
	error = take_endpoint(question, &subject, text);
	endpoint_subject_finish(&subject);
	return error;
}

static int parse_unix(struct explain_question *question, const char *text)
{
	struct policy_endpoint *endpoint = &question->endpoint;
	bool is_abstract = text[0] == '@';

	question->path = is_abstract ? strdup(text + 1) : resolve_path(text);
	if (!question->path) {
		return complain(text, strerror(errno));
	}
	endpoint->kind = is_abstract ? ENDPOINT_UNIX_ABSTRACT : ENDPOINT_UNIX_PATH;
	endpoint->family = AF_UNIX;
	endpoint->path = question->path;
	endpoint->path_length = strlen(question->path);
	return 0;
}

/* The system calls that do so; of sendto(2) one that names an address. */
static const struct address_calls {
	const char *word; /* of the command line */
	enum policy_operation operation;
	struct {
		const char *name;
		int nr;
		unsigned long long args[6];
	} calls[3];
} address_calls[] = {
	{"connect", OPERATION_CONNECT, {{"connect", SCMP_SYS(connect), {0}}}},
	{"send", OPERATION_CONNECT,
		{{"sendto", SCMP_SYS(sendto), {0, 0, 0, 0, 1}}, {"sendmsg", SCMP_SYS(sendmsg), {0}},
			{"sendmmsg", SCMP_SYS(sendmmsg), {0}}}},
	{"bind", OPERATION_BIND, {{"bind", SCMP_SYS(bind), {0}}}},
};

static const struct address_calls *find_address_calls(const char *word)
{
	const struct address_calls *found = address_calls;

	while (strcmp(found->word, word) != 0) {
		found++; /* one of `kinds`, which has them all */
	}
	return found;
}

/* `connect tcp 1.2.3.4:80`, also as one word in quotes; `send` and `bind` likewise. */
static int parse_address(struct explain_question *question, int argc, char **argv)
{
	char kind[8] = "";
	const char *text = argc > 1 ? strchr(argv[1], ' ') : NULL;
	const struct address_calls *calls = find_address_calls(argv[0]);
	const struct word *word;
	size_t length;
	int error;

	question->section = POLICY_NETWORK;
	question->operations = calls->operation;
	if (argc != (text ? 2 : 3)) {
		return complain(argv[0], "an ADDRESS is expected: tcp HOST:PORT, udp HOST:PORT, "
					 "unix /PATH or unix @NAME");
	}
	length = text ? (size_t)(text - argv[1]) : strlen(argv[1]);
	text = text ? text + strspn(text, " ") : argv[2];
	word = word_find(&endpoint_words, argv[1], length);
	if (!word || word->value == WORD_ANY) {
		return complain(argv[1], "expected tcp, udp or unix");
	}
	snprintf(kind, sizeof(kind), "%s", word->name);
	error = word->value == WORD_UNIX ? parse_unix(question, text)
					 : parse_internet(question, word->value, text);
	if (error) {
		return error;
	}
	for (size_t i = 0; i < array_length(calls->calls) && calls->calls[i].name; i++) {
		add_call(question, calls->calls[i].name, calls->calls[i].nr, calls->calls[i].args);
	}
	if (asprintf(&question->asked, "%s: %s %s", argv[0], kind,
		    word->value == WORD_UNIX && text[0] != '@' ? question->path : text) < 0) {
		question->asked = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* `resolve NAME` */
static int parse_resolve(struct explain_question *question, int argc, char **argv)
{
	char name[POLICY_NAME_MAX + 1];

	question->section = POLICY_NETWORK;
	question->resolves = true;
	if (argc != 2) {
		return complain(
			"resolve", "one NAME of a host is expected: resolve www.debian.org");
	}
	if (policy_canonical_name(name, argv[1]) < 0) {
		return complain(argv[1], "not a name of a host; write it in its ASCII form, "
					 "without a port");
	}
	add_call(question, "connect", SCMP_SYS(connect), (unsigned long long[6]){0});
	if (take_name(question, name) < 0 || asprintf(&question->asked, "resolve: %s", name) < 0) {
		question->asked = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int parse_socket(struct explain_question *question, int argc, char **argv)
{
	struct socket_subject subjects[SOCKET_SUBJECTS_MAX];
	struct mistake mistake;
	int count;

	question->section = POLICY_SOCKETS;
	if (argc != 2) {
		return complain("socket", "FAMILY/TYPE[/PROTOCOL] is expected: inet/stream");
	}
	count = socket_subject_parse(subjects, argv[1], &mistake);
	if (count < 0) {
		return complain(argv[1], mistake.text);
	}
	if (subjects[0].family < 0 || subjects[0].type < 0) {
		return complain(argv[1], "one family and one type are expected: inet/stream");
	}
	question->family = subjects[0].family;
	question->type = subjects[0].type;
	question->protocol = subjects[0].protocol < 0 ? 0 : subjects[0].protocol;
	add_call(question, "socket", SCMP_SYS(socket),
		(unsigned long long[6]){(unsigned int)question->family,
			(unsigned int)question->type, (unsigned int)question->protocol});
	if (asprintf(&question->asked, "socket: %s", argv[1]) < 0) {
		question->asked = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* `syscall NAME`, or `syscall 'NAME(arg0 == 1)'`: other arguments are 0. */
static int take_syscall(
	struct explain_question *question, const struct syscall_subject *subject, const char *text)
{
	unsigned long long args[6] = {0};

	if (subject->number_count != 1 || subject->name[0] == '@' || subject->numbers[0] < 0) {
		return complain(text, "one system call of this machine is expected");
	}
	for (size_t i = 0; i < subject->comparison_count; i++) {
		const struct comparison *comparison = &subject->comparisons[i];

		if (comparison->operator!= COMPARE_EQ) {
			return complain(text, "an argument is given as argN == VALUE");
		}
		args[comparison->argument] = comparison->value;
	}
	question->asked = strdup(text);
	if (!question->asked) {
		return -ENOMEM;
	}
	add_call(question, question->asked, subject->numbers[0], args);
	return 0;
}

static int parse_syscall(struct explain_question *question, int argc, char **argv)
{
	struct syscall_subject subject;
	struct syscall_parse_error mistake;
	int error;

	question->section = POLICY_SYSCALLS;
	if (argc != 2) {
		return complain("syscall", "NAME or 'NAME(argN == VALUE, ...)' is expected");
	}
	error = syscall_subject_parse(argv[1], &subject, &mistake);
	if (error) {
		return error == -EINVAL ? complain(argv[1], mistake.text) : error;
	}
	error = take_syscall(question, &subject, argv[1]);
	syscall_subject_finish(&subject);
	return error;
}

static const struct {
	const char *name;
	int (*parse)(struct explain_question *question, int argc, char **argv);
} kinds[] = {
	{"open", parse_open},
	{"create", parse_operation},
	{"remove", parse_operation},
	{"metadata", parse_operation},
	{"stat", parse_operation},
	{"exec", parse_operation},
	{"connect", parse_address},
	{"send", parse_address},
	{"bind", parse_address},
	{"resolve", parse_resolve},
	{"socket", parse_socket},
	{"syscall", parse_syscall},
};

static int complain_of_kind(const char *word)
{
	struct nearest nearest = NEAREST_TO(word, strlen(word));
	char why[256], hint[NEAREST_HINT_MAX];

	for (size_t i = 0; i < array_length(kinds); i++) {
		nearest_offer(&nearest, kinds[i].name);
	}
	snprintf(why, sizeof(why),
		"not a question; ask open, create, remove, metadata, stat, exec, connect, "
		"send, bind, resolve, socket or syscall%s",
		nearest_hint(&nearest, hint, sizeof(hint)));
	return complain(word, why);
}

int explain_question_parse(struct explain_question *question, int argc, char **argv)
{
	*question = (struct explain_question){0};
	for (size_t i = 0; i < array_length(kinds); i++) {
		if (!strcmp(kinds[i].name, argv[0])) {
			return kinds[i].parse(question, argc, argv);
		}
	}
	return complain_of_kind(argv[0]);
}

void explain_question_finish(struct explain_question *question)
{
	free(question->asked);
	free(question->path);
	*question = (struct explain_question){0};
}
