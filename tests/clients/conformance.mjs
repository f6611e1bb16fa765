// The conformance suite's scenarios that need no fixtures, against our HTTP endpoint:
//
//     conformance.mjs URL TOKEN CONFORMANCE
//
// Which ones these are, and why the others do not apply, says the table in docs/conformance.md. The suite cannot show a
// token; a proxy on the loopback adds it and passes everything else on as it is.
import fs from 'node:fs';
import http from 'node:http';
import { spawn } from 'node:child_process';

const [url, token, conformance] = process.argv.slice(2);
const target = new URL(url);
const table = fs.readFileSync(new URL('../../docs/conformance.md', import.meta.url), 'utf8');
const verdicts = new Map([...table.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)].map(([, name, verdict]) => [name, verdict]));

const proxy = http.createServer((request, response) => {
  const headers = { ...request.headers, authorization: `Bearer ${token}` };
  // The name of the proxy is that of the endpoint; any other is passed on, to be refused.
  if (headers.host === `localhost:${proxy.address().port}` || headers.host === `127.0.0.1:${proxy.address().port}`) {
    headers.host = target.host;
  }
  const onward = http.request(
    { host: target.hostname, port: target.port, path: request.url, method: request.method, headers },
    (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    },
  );
  onward.on('error', () => response.destroy());
  response.on('close', () => onward.destroy());
  request.pipe(onward);
});

function suite(...args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [conformance, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (part) => { text += part; });
    child.stderr.on('data', (part) => { text += part; });
    child.on('close', (code) => resolve({ passed: code === 0, text }));
  });
}

/** One scenario, as it is to be; what is wrong, if anything is. */
async function judge(scenario, address) {
  const verdict = verdicts.get(scenario);
  if (verdict === undefined) return 'docs/conformance.md does not say what becomes of it';
  if (verdict !== 'passes') {
    console.log(`  n/a   ${scenario}: ${verdict}`);
    return null;
  }
  const outcome = await suite('server', '--url', address, '--scenario', scenario);
  if (!outcome.passed) return outcome.text.split('\n').slice(-40).join('\n        ');
  console.log(`  ok    ${scenario}`);
  return null;
}

proxy.listen(0, '127.0.0.1', async () => {
  const address = `http://localhost:${proxy.address().port}${target.pathname}`;
  const listed = await suite('list', '--server');
  const scenarios = [...listed.text.matchAll(/^ {2}- (\S+)/gm)].map(([, name]) => name);
  let failed = scenarios.length === 0 ? 1 : 0;
  for (const scenario of scenarios) {
    const problem = await judge(scenario, address);
    if (problem !== null) {
      failed += 1;
      console.log(`  FAIL  ${scenario}\n        ${problem}`);
    }
  }
  const passing = scenarios.filter((scenario) => verdicts.get(scenario) === 'passes').length;
  console.log(`conformance: of ${scenarios.length} scenarios ${passing} apply, ${failed} failed`);
  proxy.close();
  process.exit(failed === 0 ? 0 : 1);
});
