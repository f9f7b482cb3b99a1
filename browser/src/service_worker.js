// Keeps all files of the page, so that it works without a network, and isolates the page, so that WebAssembly
// may use threads. FILES and VERSION are set by build.mjs.

/* global FILES, VERSION */
const cacheName = `lidia-${VERSION}`;

self.addEventListener("install", (event) => {
    self.skipWaiting();
    event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(FILES)));
});

self.addEventListener("activate", (event) => {
    event.waitUntil(
        caches.keys()
            .then((names) => Promise.all(names.filter((name) => name !== cacheName && name.startsWith("lidia-")).map((name) => caches.delete(name))))
            .then(() => self.clients.claim()),
    );
});

async function answer(request) {
    const cached = await caches.match(request, { cacheName, ignoreSearch: true });
    const response = cached ?? (await fetch(request));
    if (response.type === "opaque" || response.status === 0) return response;
    const headers = new Headers(response.headers);
    headers.set("Cross-Origin-Opener-Policy", "same-origin");
    headers.set("Cross-Origin-Embedder-Policy", "require-corp");
    headers.set("Cross-Origin-Resource-Policy", "same-origin");
    return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

self.addEventListener("fetch", (event) => {
    if (event.request.method === "GET" && event.request.url.startsWith(self.registration.scope)) {
        event.respondWith(answer(event.request));
    }
});
