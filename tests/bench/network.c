/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `./dev bench network` measures by itself:
 *
 * - network serve HOST PORT: accepts and closes, and swallows datagrams, until it is killed;
 * - network rate HOST PORT SECONDS: connections a second, of socket, connect and close;
 * - network connect HOST PORT COUNT: nanoseconds of a connect, the median;
 * - network sendto HOST PORT COUNT: nanoseconds of a sendto with an address, the median.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MAX 100000
#define BATCH     20 /* connections between two looks at the clock */

static struct sockaddr_in peer = {.sin_family = AF_INET};
static long long samples[COUNT_MAX];

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ll + time.tv_nsec;
}

_Noreturn static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static int serve(void)
{
	int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	static const int one = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(datagrams, (struct sockaddr *)&peer, sizeof(peer)) < 0 ||
		bind(listener, (struct sockaddr *)&peer, sizeof(peer)) < 0 ||
		listen(listener, 4096) < 0) {
		die("serve");
	}
	for (;;) {
		int connection = accept(listener, NULL, NULL);
		if (connection >= 0) {
			close(connection);
		}
	}
}

/* Ends at once and leaves no port waiting: there are not enough for a second of this. */
static void connect_and_close(long long *took)
{
	static const struct linger at_once = {.l_onoff = 1};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	long long begin = now();
	if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)) < 0) {
		die("connect");
	}
	*took = now() - begin;
	close(fd);
}

static int rate(double seconds)
{
	long long begin = now(), took;
	double passed = 0;
	long count = 0;

	while (passed < seconds) {
		for (int i = 0; i < BATCH; i++, count++) {
			connect_and_close(&took);
		}
		passed = (double)(now() - begin) / 1e9;
	}
	printf("%.0f\n", (double)count / passed);
	return EXIT_SUCCESS;
}

static void send_once(int fd, long long *took)
{
	char data[64] = "";
	long long begin = now();

	if (sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&peer, sizeof(peer)) < 0) {
		die("sendto");
	}
	*took = now() - begin;
}

static int by_size(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

static int latency(const char *what, long count)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	count = count < COUNT_MAX ? count : COUNT_MAX;
	for (long i = 0; i < count; i++) {
		if (strcmp(what, "connect") == 0) {
			connect_and_close(&samples[i]);
		} else {
			send_once(fd, &samples[i]);
		}
	}
	qsort(samples, (size_t)count, sizeof(samples[0]), by_size);
	printf("%lld\n", samples[count / 2]);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc < 4 || inet_pton(AF_INET, argv[2], &peer.sin_addr) != 1) {
		(void)fputs(
			"network serve|rate|connect|sendto HOST PORT [SECONDS|COUNT]\n", stderr);
		return EXIT_FAILURE;
	}
	peer.sin_port = htons((uint16_t)strtoul(argv[3], NULL, 10));
	if (strcmp(argv[1], "serve") == 0) {
		return serve();
	}
	if (argc < 5) {
		return EXIT_FAILURE;
	}
	return strcmp(argv[1], "rate") == 0 ? rate(strtod(argv[4], NULL))
					    : latency(argv[1], strtol(argv[4], NULL, 10));
}
