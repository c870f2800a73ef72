// How the web app is built: hashed files under ui/dist, and a service worker that knows their names.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

const root = fileURLToPath(new URL('.', import.meta.url))
const HUB = 'http://127.0.0.1:8080'

/** Writes sw.js with the list of files of this build, so that the shell opens without a network. */
const serviceWorker = (): Plugin => ({
  name: 'millrace-service-worker',
  apply: 'build',
  generateBundle(_, bundle) {
    const files = ['/', ...Object.keys(bundle).map((name) => `/${name}`)].filter(
      (name) => !name.endsWith('.map') && name !== '/index.html',
    )
    const version = createHash('sha256').update(files.join('\n')).digest('hex').slice(0, 12)
    const source = readFileSync(new URL('service-worker.js', import.meta.url), 'utf8')
      .replace("'%VERSION%'", JSON.stringify(version))
      .replace("['%FILES%']", JSON.stringify(files))
    this.emitFile({ type: 'asset', fileName: 'sw.js', source })
  },
})

export default defineConfig({
  root,
  base: '/',
  plugins: [react(), serviceWorker()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
  },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/api': HUB,
      '/token': HUB,
      '/health': HUB,
      '/mqtt': { target: HUB, ws: true },
    },
  },
})
