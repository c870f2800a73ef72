// Node's HTTP, without what nobody here uses: an `import` of node:http reads all its names, and its WebSocket brings the whole of undici, 13 MB and 30 ms.
export const { Agent, createServer, request } = process.getBuiltinModule('node:http')
