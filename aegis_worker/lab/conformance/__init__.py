"""The conformance suite: every scenario that a gateway has to pass, against its emulator, over the product's own engine.

It is for the adapters of other packages as well as for those that ship. A package's tests run it by a test module

    from aegis_worker.lab.conformance.scenarios import *
    from aegis_worker.lab.conformance.subject import Subject

    from aegispay_toy.adapter import ToyAdapter

    SUBJECTS = {"toy": Subject("toy", ToyAdapter, api_key="key_toy", signature_header="Toy-Signature")}

and by pytest's option `-p aegis_worker.lab.conformance.plugin`. At the end a table says which
scenario is green, and why one was skipped. docs/howto/new-gateway.md goes through it.
"""
