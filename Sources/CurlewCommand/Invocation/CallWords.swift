#if Tools
import ArgumentParser

/// The meaning of arguments without an option for `curlew call` and `curlew serve`: a device, then a method and its
/// parameters, or methods with their answers. An option takes the place of the argument for the same value.
struct CallWords {
    /// What an argument stands for.
    private enum Role: String {
        case device, method, params, answer
    }

    /// The roles of the next arguments, in their order; the last one of `curlew serve` may have several.
    private var roles: [Role]
    /// The method and the parameters that were arguments so far.
    private var words: [String] = []
    /// The option that names the devices; `nil` if an argument does.
    private let deviceOption: String?
    private let hasMethodOption: Bool
    private let hasParamsOption: Bool
    private let isServer: Bool

    /// - Parameters:
    ///   - subcommand: `call` or `serve`.
    ///   - options: The other arguments.
    init(for subcommand: Subcommand, beside options: [GivenOption]) {
        let names = Set(options.flatMap(\.names))
        self.deviceOption = ["devices", "device"].first(where: names.contains)
        self.hasMethodOption = names.contains("method")
        self.hasParamsOption = names.contains("params")
        self.isServer = subcommand == .serve
        self.roles = self.isServer ? [.device, .answer] : [.device, .method, .params]
        if self.deviceOption != nil { self.roles.removeFirst() }
        self.roles.removeAll { $0 == .method && self.hasMethodOption || $0 == .params && self.hasParamsOption }
    }

    /// Whether a URL is no broker: a device may get the address of a web page or of its new firmware as a parameter.
    func takes(url: String) -> Bool {
        self.roles.first == .params && ["http://", "https://"].contains(where: url.lowercased().hasPrefix)
    }

    /// The option for an argument.
    mutating func option(_ word: String) throws -> GivenOption {
        guard let role = self.roles.first else {
            throw ValidationError("Unexpected argument '\(word)': \(self.reason)")
        }
        if role != .answer { self.roles.removeFirst() }
        try self.check(word, role)
        switch role {
        case .device:
            return Self.option(word, "device", as: "device")
        case .answer: return Self.option(word, "answer", as: "answer")
        case .method:
            self.words.append(word)
            return Self.option(word, "method", as: "method")
        case .params:
            self.words.append(word)
            var option = Self.option(word, "params", as: "parameters")
            // The command refuses text here, which is rather a misplaced argument, unless the dialect is one of text.
            if word != "-", self.deviceOption != nil || self.hasMethodOption {
                option.words[0] = "--\(Self.uncertainParams)"
            }
            return option
        }
    }

    /// The hidden option for parameters that follow options for the device or the method.
    static let uncertainParams = "params-argument"

    private static func option(_ word: String, _ name: String, as role: String) -> GivenOption {
        GivenOption(words: ["--\(name)", word], subjects: KnownOption.subjects(of: name), names: [name], role: role)
    }

    private func check(_ word: String, _ role: Role) throws {
        switch role {
        case .device where self.isServer && word.contains("="):
            throw ValidationError(
                "'\(word)' stands where the device belongs; write the device before the methods, or give it with --device"
            )
        case .method where word.first.map { "{[\"".contains($0) } == true:
            throw ValidationError(
                "'\(word)' stands where the method belongs; write the method before its parameters, or give it with --method"
            )
        case .answer where self.deviceOption != nil && !word.contains("="):
            throw ValidationError(
                "'\(word)' is not clear, because --device already names the device; if it is a method, write --answer "
                    + word)
        default: break
        }
    }

    /// Why there is no role for an argument.
    private var reason: String {
        if self.hasParamsOption, self.words.count < 2 {
            return "--params already gives the parameters; give them once"
        }
        if let deviceOption, self.words.count == 2 {
            return
                "with --\(deviceOption), '\(self.words[0])' is the method and '\(self.words[1])' its parameters; give more "
                + "devices with --device"
        }
        return "device, method and parameters are already given; quote parameters that contain spaces"
    }
}
#endif
