// swift-tools-version:6.2
import PackageDescription

// The smallest consumers: one takes the client, one the broker, one is the program of the article "Getting started", and
// none takes the traits. `scripts/consumer-check` builds them.
let package = Package(
    name: "consumer",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "curlew", path: "../..", traits: [])
    ],
    targets: [
        .executableTarget(name: "App", dependencies: [.product(name: "Curlew", package: "curlew")]),
        .executableTarget(name: "Consumer", dependencies: [.product(name: "Curlew", package: "curlew")]),
        .executableTarget(name: "Embedder", dependencies: [.product(name: "CurlewBroker", package: "curlew")]),
    ]
)
