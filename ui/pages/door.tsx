// The frame of the pages one meets before being signed in.
import type { ReactNode } from 'react'
import { Mark } from '../design/icon.tsx'

export const Door = ({ title, children }: { title: string; children: ReactNode }) => (
  <main className="door">
    <div className="door-card panel">
      <div className="door-brand">
        <Mark size={40} />
        <span>Millrace</span>
      </div>
      <h1>{title}</h1>
      {children}
    </div>
  </main>
)
