// swift-tools-version:6.2
import PackageDescription

/// The settings of every target: STYLE's language mode and the upcoming features that keep imports and existentials
/// honest.
var settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]
// Only scripts/test sets this: a consumer's build never fails over a warning of ours.
if Context.environment["CURLEW_STRICT"] != nil {
    settings.append(.treatAllWarnings(as: .error))
}

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")

let package = Package(
    name: "curlew",
    platforms: [.macOS(.v15), .iOS(.v18), .tvOS(.v18), .watchOS(.v11), .visionOS(.v2)],
    products: [
        .library(name: "Curlew", targets: ["Curlew"]),
        .library(name: "CurlewBroker", targets: ["CurlewBroker"]),
        .library(name: "CurlewTesting", targets: ["CurlewTesting"]),
        .executable(name: "curlew", targets: ["CurlewCommand"]),
    ],
    traits: [
        .trait(name: "Tools", description: "The command `curlew`, with what it needs beyond the client."),
        .trait(
            name: "Accounts",
            description: "The broker's password files, names of client certificates, and revocation lists."),
        .trait(name: "AWS", description: "Signing for MQTT over WebSocket to AWS IoT Core."),
        .trait(name: "Digest", description: "Passwords of Shelly devices (digest authentication)."),
        .trait(name: "Gateway", description: "What speaks HTTP, with Hummingbird."),
        .trait(name: "Configuration", description: "Reading the client's configuration with swift-configuration."),
        .default(enabledTraits: ["Tools", "Accounts", "AWS", "Digest", "Gateway", "Configuration"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", "4.0.0"..<"6.0.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.18.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", .upToNextMinor(from: "0.2.0")),
    ],
    targets: [
        .target(
            name: "CurlewCore",
            dependencies: [
                nioCore,
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "OrderedCollections", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "HashTreeCollections", package: "swift-collections"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "CurlewTransport",
            dependencies: [
                nioCore,
                "CurlewCore",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Crypto", package: "swift-crypto", condition: .when(traits: ["Accounts"])),
                .product(name: "CryptoExtras", package: "swift-crypto", condition: .when(traits: ["Accounts"])),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "Curlew",
            dependencies: [
                nioCore,
                "CurlewCore",
                "CurlewTransport",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Crypto", package: "swift-crypto", condition: .when(traits: ["AWS", "Digest"])),
                .product(
                    name: "Configuration", package: "swift-configuration", condition: .when(traits: ["Configuration"])),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "CurlewBroker",
            dependencies: [
                nioCore,
                "CurlewCore",
                "CurlewTransport",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "CryptoExtras", package: "swift-crypto", condition: .when(traits: ["Accounts"])),
                .product(name: "X509", package: "swift-certificates", condition: .when(traits: ["Accounts"])),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "CurlewTesting",
            dependencies: [
                nioCore, "CurlewCore", "CurlewTransport", "Curlew", "CurlewBroker",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Crypto", package: "swift-crypto", condition: .when(traits: ["Accounts"])),
                .product(name: "X509", package: "swift-certificates", condition: .when(traits: ["Accounts"])),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "CurlewCommand",
            dependencies: [
                nioCore, "CurlewCore", "CurlewTransport", "Curlew", "CurlewBroker",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(
                    name: "ArgumentParser", package: "swift-argument-parser", condition: .when(traits: ["Tools"])),
                .product(name: "Histogram", package: "hdrhistogram-swift", condition: .when(traits: ["Tools"])),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "Fleet",
            dependencies: [
                "Curlew",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Examples/Fleet",
            exclude: ["Weather"],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "Device",
            dependencies: [
                "Curlew",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Examples/Device",
            exclude: ["README.md"],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "Agent", dependencies: ["Curlew"], path: "Examples/Agent", exclude: ["README.md"],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "WebService",
            dependencies: [
                nioCore,
                "Curlew",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Hummingbird", package: "hummingbird", condition: .when(traits: ["Gateway"])),
            ],
            path: "Examples/WebService",
            exclude: ["README.md"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "CurlewCoreTests",
            dependencies: [
                nioCore, "CurlewCore",
                .product(name: "NIOTestUtils", package: "swift-nio"),
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "CurlewTransportTests",
            dependencies: [
                nioCore, "CurlewTransport",
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            exclude: ["Fixtures"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "CurlewTests",
            dependencies: [
                nioCore, "Curlew", "CurlewBroker", "CurlewCore", "CurlewTransport", "CurlewTesting",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
                .product(
                    name: "Configuration", package: "swift-configuration", condition: .when(traits: ["Configuration"])),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "CurlewBrokerTests",
            dependencies: [
                nioCore, "Curlew", "CurlewBroker", "CurlewCore", "CurlewTransport", "CurlewTesting",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        // What the tests against a real broker share; in no product.
        .target(
            name: "MosquittoFixture",
            dependencies: ["CurlewTransport"],
            path: "Tests/Support/MosquittoFixture",
            swiftSettings: settings
        ),
        .testTarget(
            name: "CurlewCommandTests",
            dependencies: [
                nioCore, "CurlewCore", "CurlewTransport", "Curlew", "CurlewBroker", "CurlewCommand", "MosquittoFixture",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(
                    name: "ArgumentParser", package: "swift-argument-parser", condition: .when(traits: ["Tools"])),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "InteropTests",
            dependencies: [
                nioCore, "Curlew", "CurlewTransport", "MosquittoFixture",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            exclude: ["Peers"],
            swiftSettings: settings
        ),
        // Real programs of other libraries, as docs/migration.md quotes them in Swift.
        .testTarget(
            name: "ExampleTests",
            dependencies: [
                nioCore, "Curlew", "CurlewBroker", "CurlewTesting", "MosquittoFixture",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
    ]
)

// Benchmarks and fuzz targets look inside, which only targets of the package may; they are no part of ordinary builds,
// so that a consumer never sees them.
if Context.environment["CURLEW_BENCHMARKS"] != nil {
    package.targets += [
        .target(name: "MallocCount", path: "Benchmarks/MallocCount"),
        .executableTarget(
            name: "Micro",
            dependencies: [nioCore, "Curlew", "CurlewBroker", "CurlewCore", "CurlewTransport", "MallocCount"],
            path: "Benchmarks/Micro",
            swiftSettings: settings
        ),
    ]
}
if Context.environment["CURLEW_FUZZING"] != nil {
    let fuzzed: [Target.Dependency] = [
        nioCore, "CurlewCore", "CurlewTransport", "CurlewBroker",
        .product(name: "NIOEmbedded", package: "swift-nio"),
    ]
    package.targets += [
        .target(name: "LibFuzzer", path: "Fuzzing/LibFuzzer"),
        .target(name: "TaskHook", path: "Fuzzing/TaskHook"),
        // What the targets that fuzz the broker share.
        .target(
            name: "FuzzSupport", dependencies: fuzzed + ["TaskHook"], path: "Fuzzing/Support", swiftSettings: settings),
    ]
    package.targets += ["FuzzBroker", "FuzzDecoder", "FuzzSession", "FuzzTraffic"].map { name in
        .executableTarget(
            name: name, dependencies: fuzzed + ["FuzzSupport", "LibFuzzer"], path: "Fuzzing/\(name)",
            swiftSettings: settings)
    }
    package.targets.append(
        .executableTarget(
            name: "FuzzHandshake",
            dependencies: fuzzed + [
                "LibFuzzer",
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ],
            path: "Fuzzing/FuzzHandshake",
            swiftSettings: settings))
}
