// The offline shell: the app opens without a network and says so. Never answers for the hub's own data.
/* global self, caches, fetch, URL */
const VERSION = '%VERSION%'
const FILES = ['%FILES%']
const CACHE = `millrace-${VERSION}`

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(FILES))
      .then(() => self.skipWaiting()),
  )
})

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  )
})

const fresh = async (request) => {
  try {
    return await fetch(request)
  } catch (error) {
    const shell = await caches.match('/')
    if (shell) return shell
    throw error
  }
}

self.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== self.location.origin) return
  if (request.mode === 'navigate' && !url.pathname.startsWith('/api/')) event.respondWith(fresh(request))
  else if (FILES.includes(url.pathname)) event.respondWith(caches.match(request).then((hit) => hit ?? fetch(request)))
})
