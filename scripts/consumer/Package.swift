// swift-tools-version:6.2
import PackageDescription

// The smallest consumer: takes the client and none of the traits. `scripts/consumer-check` builds it.
let package = Package(
    name: "consumer",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "curlew", path: "../..", traits: [])
    ],
    targets: [
        .executableTarget(name: "Consumer", dependencies: [.product(name: "Curlew", package: "curlew")])
    ]
)
