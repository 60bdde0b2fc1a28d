#if Tools
import Curlew

/// Environment variables that look as if they were meant for the command but have no effect.
enum UnknownVariables {
    /// Known variables that are neither an option's nor the library's.
    private static let others: Set = [
        "CURLEW_PSK", "CURLEW_BROKER_TLS_KEY_PASSPHRASE",
        // For building and testing Curlew.
        "CURLEW_STRICT", "CURLEW_REQUIRE_PEERS", "CURLEW_BENCHMARKS", "CURLEW_FUZZING", "CURLEW_THREAD_SANITIZER",
        "CURLEW_PYTHON", "CURLEW_FUZZ_TRACE", "CURLEW_FUZZ_CORPUS",
    ]

    /// One sentence for each variable that has no effect.
    static func warnings(about names: [String]) -> [String] {
        let suspects = names.filter { $0.hasPrefix("CURLEW_") }
        guard !suspects.isEmpty else { return [] }
        let known = Self.others
            .union(KnownOption.all.filter { $0.table != .bench }.map(\.variable))
            .union(MQTTConfiguration.environmentVariables.map { "CURLEW_" + $0.dropFirst("MQTT_".count) })
        return suspects.filter { !known.contains($0) }.sorted().map { name in
            let meant = Spelling.nearest(to: name, among: known.sorted(), beginningWith: "CURLEW_")
            return "The environment variable \(name) is unknown and has no effect"
                + (meant.map { "; did you mean \($0)?" } ?? ".")
        }
    }
}
#endif
