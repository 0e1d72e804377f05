# The workers of a load in containers: one static program, and no shell.
#   docker build --tag registry.example.com/brownout:0.1.0 .
# It is compiled anew, which takes a quarter of an hour on two cores.
FROM docker.io/library/rust:1.95 AS build
WORKDIR /brownout
COPY . .
RUN target=$(rustc --print host-tuple) \
 && RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --profile dist --target "$target" --bin brownout \
 && cp "target/$target/dist/brownout" /program

FROM scratch
# No entry point: the exported jobs name the program themselves.
ENV PATH=/usr/bin
COPY --from=build /program /usr/bin/brownout
# Whom a program without settings of its own trusts.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY LICENSE-APACHE LICENSE-MIT /
CMD ["brownout", "--help"]
