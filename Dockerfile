# Four images from one build: operator, controller, speaker, and the command for CI servers, cli.
#   docker build --target speaker -t genkan/speaker .
# hack/images/ builds the same files in the same places without a container engine, for the lab.
# hack/images/stages.test.ts holds this file and hack/images/stages.ts to each other.

FROM node:26-bookworm AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm install --no-save
COPY . .
RUN node hack/images/main.ts bundle /out && make addon && cp speaker/native/build/socket.node /out/ \
 && cp "$(command -v node)" /out/node && strip /out/node

FROM debian:bookworm-slim AS base
COPY --from=build /out/node /usr/bin/node

FROM base AS operator
COPY --from=build /out/operator.mjs /app/operator.mjs
USER 65532:65532
ENTRYPOINT ["/usr/bin/node", "--max-semi-space-size=4", "/app/operator.mjs"]

FROM base AS controller
COPY --from=build /out/controller.mjs /app/controller.mjs
COPY --from=build /out/console/console.html /app/console/console.html
COPY --from=build /out/console/console.js /app/console/console.js
COPY --from=build /out/console/console.css /app/console/console.css
COPY --from=build /out/console/icon.svg /app/console/icon.svg
USER 65532:65532
ENTRYPOINT ["/usr/bin/node", "--max-semi-space-size=4", "/app/controller.mjs"]

FROM base AS speaker
RUN apt-get update && apt-get install -y --no-install-recommends nftables && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/speaker.mjs /app/speaker.mjs
COPY --from=build /out/speaker-worker.mjs /app/speaker-worker.mjs
COPY --from=build /out/speaker-bfd.mjs /app/speaker-bfd.mjs
COPY --from=build /out/speaker-gossip.mjs /app/speaker-gossip.mjs
COPY --from=build /out/socket.node /app/socket.node
ENV MALLOC_ARENA_MAX=1
ENTRYPOINT ["/usr/bin/node", "--max-semi-space-size=1", "--optimize-for-size", "--max-old-space-size=192", "--v8-pool-size=1", "/app/speaker.mjs"]

FROM base AS cli
COPY --from=build /out/genkan.mjs /app/genkan.mjs
RUN ln -s /app/genkan.mjs /usr/bin/genkan
USER 65532:65532
ENTRYPOINT ["/usr/bin/genkan"]
