// Where a device has its page.

export const devicePath = (id: string): string => `/devices/${encodeURIComponent(id)}`
