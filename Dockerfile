# An LTS of Node, the one that the tests run. No layer holds a secret: pass credentials at run time, best as mounted files.
ARG NODE=24.21.0-bookworm-slim

FROM node:${NODE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json ./
COPY src ./src
RUN npm run build

FROM node:${NODE} AS dependencies
WORKDIR /sendgate
COPY package.json package-lock.json ./
RUN npm ci --omit=dev
COPY deploy/sbom.js ./deploy/sbom.js
RUN node deploy/sbom.js > sbom.cdx.json

FROM node:${NODE}
LABEL org.opencontainers.image.title="Sendgate"
LABEL org.opencontainers.image.description="An authenticated caching proxy in front of Constant Contact's campaigns and their reports"
LABEL org.opencontainers.image.version="0.1.0"
ENV NODE_ENV=production HOST=0.0.0.0
# For storage and v3's tokens. A named volume that is mounted here takes over owner and mode. There is no VOLUME: an anonymous one
# would keep people's addresses after the container is removed.
RUN install -d -o node -g node -m 0700 /var/lib/sendgate
WORKDIR /app
COPY package.json ./
COPY --from=dependencies /sendgate/sbom.cdx.json ./
COPY --from=dependencies /sendgate/node_modules ./node_modules
COPY --from=build /build/dist ./dist
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.SENDGATE_MANAGEMENT_PORT || 8081}/livez`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Node is PID 1: Sendgate handles SIGTERM, and waits for the processes that it starts. V8 lets the heap grow to several times
# what is alive in it: by half is enough (docs/decisions/0040).
CMD ["node", "--heap-growing-percent=50", "dist/main.js"]
