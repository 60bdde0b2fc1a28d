#if Tools
/// The name by which the command was called: its own, or that of a mosquitto command.
enum Role: String, CaseIterable, Sendable {
    case curlew
    case mosquittoPublish = "mosquitto_pub"
    case mosquittoSubscribe = "mosquitto_sub"
    case mosquittoRequest = "mosquitto_rr"

    /// - Parameter path: The path by which the program was called.
    init(path: String) {
        self = Self(rawValue: path.split(separator: "/").last.map(String.init) ?? "") ?? .curlew
    }

    /// The subcommand that replaces the mosquitto command.
    var subcommand: Subcommand? {
        switch self {
        case .curlew: nil
        case .mosquittoPublish: .pub
        case .mosquittoSubscribe: .sub
        case .mosquittoRequest: .request
        }
    }
}

/// The subcommands whose options are in a table. Except for benchmarks, options can also be set by the environment;
/// except for benchmarks and the broker, also in an options file.
enum Subcommand: String, CaseIterable, Sendable {
    case pub, sub, request, respond, collect, call, serve, broker, bench

    /// The subcommands that run one client.
    static let clients: Set<Self> = [.pub, .sub, .request, .respond, .collect, .call, .serve]
    /// Those of them that name topics.
    static let naming: Set<Self> = [.pub, .sub, .request, .respond, .collect]
}
#endif
