#if Tools
extension Subcommand {
    var table: KnownOption.Table {
        switch self {
        case .broker: .broker
        case .bench: .bench
        case .pub, .sub, .request, .respond, .collect, .call, .serve: .clients
        }
    }

    /// The names of its options, with their dashes.
    var optionNames: [String] {
        KnownOption.all.filter { option in
            option.subcommands.contains(self) || self == .bench && option.subcommands == Self.clients
        }.map { "--\($0.long)" }
    }
}
#endif
