"""Notices of new flares, changed flares and failures: for feeds, webhooks and e-mail.

`jobs.notices.subjects` says what there is to report. The command ``stix-jobs notify`` records it in a journal
(`jobs.notices.journal`) and sends it to the receivers in ``config.toml`` (`jobs.notices.settings`).
"""
