#if Tools
/// As what the command was called: by its own name, or through a link that has the name of one of mosquitto's commands.
enum Role: String, CaseIterable, Sendable {
    case curlew
    case mosquittoPublish = "mosquitto_pub"
    case mosquittoSubscribe = "mosquitto_sub"
    case mosquittoRequest = "mosquitto_rr"

    /// - Parameter path: How the program was called, its folder included.
    init(path: String) {
        self = Self(rawValue: path.split(separator: "/").last.map(String.init) ?? "") ?? .curlew
    }

    /// The subcommand that does what the link's name says.
    var subcommand: Subcommand? {
        switch self {
        case .curlew: nil
        case .mosquittoPublish: .pub
        case .mosquittoSubscribe: .sub
        case .mosquittoRequest: .request
        }
    }
}

/// The subcommands whose options stand in a table. All but those of benchmarks come from the environment as well, and but for
/// the broker's from files.
enum Subcommand: String, CaseIterable, Sendable {
    case pub, sub, request, respond, broker, bench

    /// Those that talk to a server.
    static let clients: Set<Self> = [.pub, .sub, .request, .respond]
}
#endif
