// The daemon, as this tab speaks with it: one key, one route for each question, and a proof before anything is sent.

const ROUTES = '/v1/page/'
const NAME = 'colorize.key'
const encoder = new TextEncoder()

export class Refused extends Error {
  constructor (answer) {
    super([answer.message, answer.hint].filter(Boolean).join(' '))
    this.code = answer.code
  }
}

export class Unreachable extends Error {}

export class Server {
  #key = null
  #isProved = false

  /** Whether this tab has a key at all. */
  get isOpen () { return this.#key !== null }

  /** Take the key that this tab had before it was loaded anew, or trade the code in the address for one. */
  async open () {
    this.#key = sessionStorage.getItem(NAME)
    const code = new URLSearchParams(location.hash.slice(1)).get('code')
    if (!code) return
    history.replaceState(null, '', location.pathname) // out of the address bar and the history before anything else
    this.take((await (await this.#send('key', JSON.stringify({ code }))).json()).key)
  }

  /** Go on with another key: of this tab's own code, or handed over by a tab that was opened later. */
  take (key) {
    this.#key = key
    this.#isProved = false
    sessionStorage.setItem(NAME, key)
  }

  get key () { return this.#key }

  /** Ask a route; the photograph and the key go only to the daemon that has shown that it knows this key. */
  async ask (route, body = '', { query = {}, type = 'application/json' } = {}) {
    if (!this.#isProved) await this.#prove()
    const search = new URLSearchParams(query).toString()
    const headers = { 'X-Colorize-Page': this.#key, 'Content-Type': type }
    return this.#send(route + (search && '?' + search), body, { headers })
  }

  async #prove () {
    if (this.#key === null) throw new Refused({ code: 'page_key_wrong', message: '' })
    const [name, secret] = this.#key.split('.')
    const nonce = hex(crypto.getRandomValues(new Uint8Array(32)))
    const answer = await this.#send('proof', JSON.stringify({ name, nonce }))
    const digest = hex(new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(secret))))
    const key = await crypto.subtle.importKey('raw', encoder.encode(digest), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
    const expected = hex(new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(`${nonce}:${location.port}`))))
    if ((await answer.json()).proof !== expected) throw new Unreachable('another program answers')
    this.#isProved = true
  }

  async #send (route, body, { headers = { 'Content-Type': 'application/json' } } = {}) {
    let answer
    try {
      answer = await fetch(ROUTES + route, { method: 'POST', body, headers, credentials: 'omit', cache: 'no-store', redirect: 'error' })
    } catch (error) {
      this.#isProved = false
      throw new Unreachable(error.message)
    }
    if (!answer.ok) throw new Refused(await answer.json().catch(() => ({ code: 'defect', message: `HTTP ${answer.status}` })))
    return answer
  }
}

export const hex = bytes => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')

const KINDS = { '<u2': Uint16Array, '<i2': Int16Array, '|u1': Uint8Array }

/** Read what `colorize_server.picture.proof.packed` made: its head, with the planes' samples under their names. */
export function unpacked (buffer) {
  const length = new DataView(buffer).getUint32(0, true)
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)))
  const planes = {}
  let at = 4 + length
  for (const { name, dtype, shape } of head.planes) {
    const count = shape.reduce((a, b) => a * b, 1)
    planes[name] = { samples: new KINDS[dtype](buffer, at, count), height: shape[0], width: shape[1] }
    at += Math.ceil(planes[name].samples.byteLength / 4) * 4
  }
  return { ...head, planes }
}
