// Starts the hub on the right Node. Plain JavaScript, so that an older Node can say what is missing instead of failing to parse.
const major = Number(process.versions.node.split('.')[0])
if (major !== 24) {
  process.stderr.write(
    `Millrace runs on Node 24; this is ${process.version}.\n` +
      'npm ci brings Node 24 for Linux and Windows and npm start uses it: run "npm start" instead of "node …".\n' +
      'On a Mac install Node 24 yourself (nodejs.org).\n',
  )
  process.exit(1)
}
const { useCompileCache } = await import('./compile-cache.js')
useCompileCache()
const { run } = await import('./cli.ts')
await run(process.argv.slice(2))
