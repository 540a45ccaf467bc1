// A clock moved by hand, and sockets that do what the test says.

export class Clock {
  #now = 1_700_000_000_000;
  #timers = [];

  now = () => this.#now;

  setTimeout = (ring, ms) => {
    const timer = { ring, at: this.#now + ms };
    this.#timers.push(timer);
    return timer;
  };

  clearTimeout = (timer) => {
    this.#timers = this.#timers.filter((one) => one !== timer);
  };

  /** Moves time, ringing what is due in its order. Promises settle in between. */
  async pass(ms) {
    const end = this.#now + ms;
    for (;;) {
      await settled();
      const due = this.#timers.filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#now = Math.max(this.#now, due.at);
      this.clearTimeout(due);
      due.ring();
    }
    this.#now = end;
  }

  /** The laptop sleeps: time goes by and no timer rings. */
  sleep(ms) {
    this.#now += ms;
  }
}

export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A WebSocket class of which the test holds every instance. */
export function sockets() {
  const dialled = [];
  class FakeSocket {
    readyState = 0;
    sent = [];

    constructor(url) {
      this.url = url;
      dialled.push(this);
    }

    send(text) {
      this.sent.push(JSON.parse(text));
    }

    close() {
      this.readyState = 3;
    }

    opens() {
      this.readyState = 1;
      this.onopen();
    }

    hears(...frames) {
      this.onmessage({ data: JSON.stringify(frames.length > 1 ? frames : frames[0]) });
    }

    welcomed(welcome = {}) {
      this.opens();
      this.hears({ type: "welcome", heartbeat: 20, ...welcome });
    }

    lost(code = 1006) {
      this.readyState = 3;
      this.onclose({ code });
    }
  }
  return { FakeSocket, dialled };
}

/** Storage as the browser's: keys are its own enumerable properties. */
export function storage() {
  const kept = {};
  const methods = {
    getItem: (key) => kept[key] ?? null,
    setItem: (key, value) => void (kept[key] = String(value)),
    removeItem: (key) => void delete kept[key],
  };
  return new Proxy(kept, { get: (_all, name) => methods[name] ?? kept[name] });
}
