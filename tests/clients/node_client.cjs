// `@modelcontextprotocol/client` 2: the stateless era, or the older one.
'use strict';

const { Client } = require('@modelcontextprotocol/client');
const { StdioClientTransport } = require('@modelcontextprotocol/client/stdio');
const bridge = require('./node_bridge.cjs');

const [command, cwd, era] = process.argv.slice(2);
const mode = era === 'modern' ? { pin: '2026-07-28' } : 'legacy';
const client = new Client({ name: 'foreign-client', version: '1.0.0' }, { versionNegotiation: { mode } });
const transport = new StdioClientTransport({ command, args: ['mcp'], cwd, env: process.env });

bridge({
  client,
  async connect() {
    await client.connect(transport);
    return client.getNegotiatedProtocolVersion() ?? null;
  },
}).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
