import CurlewTransport

extension ConfigurationDraft {
    /// Takes the proxy from the variables that many programs share, unless one was set otherwise.
    ///
    /// As in other programs, the machine itself is reached without a proxy.
    mutating func applySharedProxyVariables(_ variables: Variables) throws(MQTTError) {
        guard self.configuration.proxy == nil, !self.isProxyDecided else { return }
        let isSecure = self.configuration.servers.allSatisfy(\.scheme.isSecure)
        let names = (isSecure ? ["https_proxy", "HTTPS_PROXY"] : []) + ["all_proxy", "ALL_PROXY"]
        guard let name = names.first(where: variables.has), let value = try variables.value(of: name, isSecret: true)
        else { return }
        var proxy = try value.proxy()
        for name in ["no_proxy", "NO_PROXY"] {
            guard let list = try variables.value(of: name)?.text else { continue }
            proxy?.excludedHosts = list.split { ", ".contains($0) }.map(String.init)
            break
        }
        proxy?.excludedHosts += ["localhost", "127.0.0.0/8", "::1"]
        self.configuration.proxy = proxy
    }
}
