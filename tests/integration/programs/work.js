// SPDX-License-Identifier: Apache-2.0
// What node is used for: files, streams, a server and its client, workers, children, signals.
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');
const zlib = require('zlib');
const { execFileSync } = require('child_process');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

if (!isMainThread) {
	const sum = fs.readdirSync('many').sort().reduce(
		(hash, name) => hash.update(fs.readFileSync(path.join('many', name))),
		crypto.createHash('sha256'));
	parentPort.postMessage([workerData, sum.digest('hex')]);
} else {
	main();
}

function worker(number) {
	return new Promise((resolve, reject) => {
		new Worker(__filename, { workerData: number }).on('message', resolve).on('error', reject);
	});
}

function get(port, target) {
	return new Promise((resolve, reject) => {
		http.get({ port, host: '127.0.0.1', path: target, agent: false }, (answer) => {
			let text = '';
			answer.on('data', (data) => { text += data; });
			answer.on('end', () => resolve(`${answer.statusCode} ${text}`));
		}).on('error', reject);
	});
}

function errnoOf(call) {
	try {
		call();
		return 'none';
	} catch (error) {
		return error.code;
	}
}

async function main() {
	fs.mkdirSync('many');
	for (let i = 0; i < 200; i++) {
		fs.writeFileSync(`many/${i}`, `file ${i}\n`.repeat(i));
	}
	console.log(await Promise.all([1, 2, 3, 4].map(worker)));
	const all = await Promise.all(
		fs.readdirSync('many').map((name) => fs.promises.readFile(path.join('many', name))));
	console.log(all.reduce((sum, data) => sum + data.length, 0));
	fs.writeFileSync('packed', zlib.gzipSync(Buffer.concat(all)));
	console.log(zlib.gunzipSync(fs.readFileSync('packed')).length);
	console.log(errnoOf(() => fs.readFileSync('missing')), errnoOf(() => fs.readFileSync('many')),
		errnoOf(() => fs.openSync('many/1', 'wx')), errnoOf(() => fs.openSync('many/1/x')));
	const server = http.createServer((request, answer) => {
		fs.createReadStream(path.join('many', request.url.slice(1))).pipe(answer);
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	const answers = await Promise.all(
		[...Array(50).keys()].map((i) => get(server.address().port, `/${i}`)));
	server.close();
	console.log(crypto.createHash('sha256').update(answers.join()).digest('hex'));
	console.log(execFileSync('/bin/sh', ['-c', 'cat many/3; echo $0']).toString());
	process.on('SIGUSR2', () => console.log('signal'));
	process.kill(process.pid, 'SIGUSR2');
	setTimeout(() => console.log('done'), 50);
}
