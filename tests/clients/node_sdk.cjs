// `@modelcontextprotocol/sdk` 1: the SDK that most clients in use are built with. It opens with `initialize`.
'use strict';

const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js');
const bridge = require('./node_bridge.cjs');

const [command, cwd] = process.argv.slice(2);
const client = new Client({ name: 'foreign-sdk', version: '1.0.0' });
const transport = new StdioClientTransport({ command, args: ['mcp'], cwd, env: process.env });
let version = null;
// The transport is told the version that was agreed on.
transport.setProtocolVersion = (agreed) => { version = agreed; };

bridge({
  client,
  async connect() {
    await client.connect(transport);
    return version;
  },
}).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
