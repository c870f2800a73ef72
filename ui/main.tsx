// Where the web app begins.
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { applyTheme } from './pages/theme.ts'
import './design/tokens.css'
import './design/base.css'
import './design/controls.css'
import './design/pages.css'
import './design/flow.css'
import './design/people.css'
import './design/wall.css'

applyTheme()

const place = document.getElementById('app')
if (!place) throw new Error('index.html has no #app to put the app into')
createRoot(place).render(
  <StrictMode>
    <App />
  </StrictMode>,
)

// Browsers have service workers only on localhost and HTTPS; elsewhere the app works without the offline shell.
if (import.meta.env.PROD && 'serviceWorker' in navigator)
  addEventListener('load', () => {
    navigator.serviceWorker.register('/sw.js').catch(() => undefined)
  })
