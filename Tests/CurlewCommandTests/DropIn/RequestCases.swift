#if Tools
extension DropInCase {
    /// A responder replies on `svc/+`, and on `svc-3/+` to requests without a response topic.
    static let requests: [DropInCase] =
        [
            "-t svc/{who} -e answers/{who}/1 -m hi", "-t svc/{who} -e answers/{who}/2 -m hi -v",
            "-t svc/{who} -e answers/{who}/3 -m hi -N",
            "-t svc/{who} -e answers/{who}/4 --message hi -q 1",
            "-t svc/{who} -e answers/{who}/5 -n -V 5",
            "-t svc/{who} -e answers/x/6 -m hi -F %p|%q|%r|%l|%x|%C|%P",
            "-t svc/{who} -e answers/{who}/7 -m hi -q 2 -F %q",
            "-t svc/{who} -e answers/{who}/9 -m hi -R -M 3 -A 127.0.0.1",
            "-t svc/{who} -e answers/x/10 -m hi -D publish user-property a b -F %P -i {who}r",
            "-t svc-3/three -e plain/three -V 311 -m hi -F %j --pretty",
            "-t svc-3/one -e plain/one -m hi -V 311", "-t svc-3/two -e plain/two -m hi -V 31 -v",
            "-t nobody/{who} -e answers/{who}/12 -m hi -W 1",
            "-t nobody/{who} -e answers/{who}/13 -m hi -W 1 -V 311 --quiet",
            "-t svc/{who} -m hi -V 311", "-t svc/{who} -e a/+ -m hi", "-e answers/{who} -m hi",
            "-t svc/{who} -e answers/{who}",
            "-t svc/{who} -e answers/{who} -m hi -n", "-t svc/{who} -e a -m hi --frob",
            "-t svc/{who} -e a -m hi -F %",
            "-t svc/{who} -e a -m hi -V 4",
        ].map { DropInCase(.request, $0) }
        + [
            DropInCase(.request, "-t svc/{who} -e answers/{who}/15 -m hi -d -i {who}t").with(\.hasTrace, true),
            DropInCase(.request, "-L mqtt://127.0.0.1:{port}/svc/{who} -e answers/{who}/16 -m hi").with(
                \.hasServer, true),
            DropInCase(.request, "-t a -e b -m hi -p {guarded} -V 5").with(\.hasServer, true),
            DropInCase(.request, "-t a -e b -m hi -p {guarded} -V 311").with(\.hasServer, true),
            DropInCase(.request, "-t a -e b -m hi -p {closed}").with(\.hasServer, true),
            DropInCase(.request, "-t svc/{who} -m hi").with(\.file, "-e answers/{who}/17\n-v\n"),
        ]
}
#endif
