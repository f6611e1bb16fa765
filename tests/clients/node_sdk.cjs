// `@modelcontextprotocol/sdk` 1: the SDK that most clients in use are built with. It opens with `initialize`.
'use strict';

const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js');
const { ElicitRequestSchema, ResourceUpdatedNotificationSchema } = require('@modelcontextprotocol/sdk/types.js');
const bridge = require('./node_bridge.cjs');

const [command, cwd] = process.argv.slice(2);
const client = new Client({ name: 'foreign-sdk', version: '1.0.0' }, { capabilities: { elicitation: {} } });
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
  handle({ elicit, updated }) {
    client.setRequestHandler(ElicitRequestSchema, async (request) => elicit(request.params));
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, () => updated());
  },
  async subscribe(uri) {
    await client.subscribeResource({ uri });
    return () => client.unsubscribeResource({ uri });
  },
}).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
