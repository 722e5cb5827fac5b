# --- conf, auth ---
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_option_table tests/unit/test_conf \
	tests/unit/test_conf_equal tests/unit/test_conf_folders \
	tests/unit/test_conf_token tests/unit/test_conf_preset \
	tests/unit/test_provider \
	tests/unit/test_credential tests/unit/test_sasl
endif
tests_unit_test_option_table_SOURCES = tests/unit/test_option_table.c
tests_unit_test_option_table_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_option_table_LDADD = libconf.a libbase.a $(CONFIG_LIBS) \
	$(CMOCKA_LIBS) $(SYSTEMD_LIBS)
CONF_FIXTURE = tests/unit/conf_fixture.c tests/unit/conf_fixture.h
CONF_TEST_LIBS = libconf.a libbase.a $(CONFIG_LIBS) $(CMOCKA_LIBS) \
	$(SYSTEMD_LIBS)
tests_unit_test_conf_SOURCES = tests/unit/test_conf.c $(CONF_FIXTURE)
tests_unit_test_conf_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_conf_LDADD = $(CONF_TEST_LIBS)
tests_unit_test_conf_equal_SOURCES = tests/unit/test_conf_equal.c \
	$(CONF_FIXTURE)
tests_unit_test_conf_equal_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_conf_equal_LDADD = $(CONF_TEST_LIBS)
tests_unit_test_conf_folders_SOURCES = tests/unit/test_conf_folders.c \
	$(CONF_FIXTURE)
tests_unit_test_conf_folders_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_conf_folders_LDADD = $(CONF_TEST_LIBS)

tests_unit_test_conf_token_SOURCES = tests/unit/test_conf_token.c \
	$(CONF_FIXTURE)
tests_unit_test_conf_token_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_conf_token_LDADD = $(CONF_TEST_LIBS)
tests_unit_test_conf_preset_SOURCES = tests/unit/test_conf_preset.c \
	$(CONF_FIXTURE)
tests_unit_test_conf_preset_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_conf_preset_LDADD = $(CONF_TEST_LIBS)
tests_unit_test_provider_SOURCES = tests/unit/test_provider.c
tests_unit_test_provider_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_provider_LDADD = $(CONF_TEST_LIBS)
tests_unit_test_credential_SOURCES = tests/unit/test_credential.c
tests_unit_test_credential_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_credential_LDADD = libauth.a libnet.a libbase.a \
	$(EVENT_LIBS) $(OPENSSL_LIBS) $(CMOCKA_LIBS) $(SYSTEMD_LIBS)
tests_unit_test_sasl_SOURCES = tests/unit/test_sasl.c
tests_unit_test_sasl_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) \
	$(GSASL_CFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_sasl_LDADD = libauth.a libbase.a $(GSASL_LIBS) \
	$(JANSSON_LIBS) $(CMOCKA_LIBS) $(SYSTEMD_LIBS)
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_scram
endif
tests_unit_test_scram_SOURCES = tests/unit/test_scram.c
tests_unit_test_scram_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) \
	$(GSASL_CFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_scram_LDADD = libauth.a libbase.a $(GSASL_LIBS) \
	$(JANSSON_LIBS) $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_fetchmail
endif
tests_unit_test_fetchmail_SOURCES = tests/unit/test_fetchmail.c
tests_unit_test_fetchmail_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_fetchmail_LDADD = $(CONF_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_buf
endif
tests_unit_test_buf_SOURCES = tests/unit/test_buf.c
tests_unit_test_buf_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_buf_LDADD = libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_span
endif
tests_unit_test_span_SOURCES = tests/unit/test_span.c
tests_unit_test_span_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_span_LDADD = libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_fault
endif
tests_unit_test_fault_SOURCES = tests/unit/test_fault.c
tests_unit_test_fault_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_fault_LDADD = libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_line
endif
tests_unit_test_line_SOURCES = tests/unit/test_line.c
tests_unit_test_line_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_line_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_dot
endif
tests_unit_test_dot_SOURCES = tests/unit/test_dot.c
tests_unit_test_dot_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_dot_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_header
endif
tests_unit_test_header_SOURCES = tests/unit/test_header.c
tests_unit_test_header_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_header_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_address tests/unit/test_rewrite
endif
tests_unit_test_address_SOURCES = tests/unit/test_address.c
tests_unit_test_address_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_address_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)
tests_unit_test_rewrite_SOURCES = tests/unit/test_rewrite.c
tests_unit_test_rewrite_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_rewrite_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_smtp_reply
endif
tests_unit_test_smtp_reply_SOURCES = tests/unit/test_smtp_reply.c
tests_unit_test_smtp_reply_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_smtp_reply_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_starttls
endif
tests_unit_test_starttls_SOURCES = tests/unit/test_starttls.c
tests_unit_test_starttls_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_starttls_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_smtp \
	tests/unit/test_smtp_flight tests/unit/test_smtp_model
endif
SMTP_PLAY = tests/unit/smtp_play.h
tests_unit_test_smtp_SOURCES = tests/unit/test_smtp.c $(SMTP_PLAY)
tests_unit_test_smtp_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_smtp_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)
tests_unit_test_smtp_flight_SOURCES = tests/unit/test_smtp_flight.c $(SMTP_PLAY)
tests_unit_test_smtp_flight_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_smtp_flight_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)
tests_unit_test_smtp_model_SOURCES = tests/unit/test_smtp_model.c
tests_unit_test_smtp_model_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_smtp_model_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_statedir tests/unit/test_db \
	tests/unit/test_listing tests/unit/test_store tests/unit/test_idset \
	tests/unit/test_listed
endif
STORE_TEST_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS) $(CMOCKA_CFLAGS)
STORE_TEST_LIBS = libstore.a libbase.a $(SQLITE_LIBS) $(CMOCKA_LIBS) \
	$(SYSTEMD_LIBS) -lpthread
STORE_FIXTURE = tests/unit/store_fixture.c tests/unit/store_fixture.h
tests_unit_test_statedir_SOURCES = tests/unit/test_statedir.c $(STORE_FIXTURE)
tests_unit_test_statedir_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_statedir_LDADD = $(STORE_TEST_LIBS)
tests_unit_test_db_SOURCES = tests/unit/test_db.c $(STORE_FIXTURE)
tests_unit_test_db_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_db_LDADD = $(STORE_TEST_LIBS)
tests_unit_test_listing_SOURCES = tests/unit/test_listing.c $(STORE_FIXTURE)
tests_unit_test_listing_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_listing_LDADD = $(STORE_TEST_LIBS)
tests_unit_test_listed_SOURCES = tests/unit/test_listed.c $(STORE_FIXTURE)
tests_unit_test_listed_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_listed_LDADD = $(STORE_TEST_LIBS)
tests_unit_test_idset_SOURCES = tests/unit/test_idset.c
tests_unit_test_idset_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_idset_LDADD = libstore.a libbase.a $(CMOCKA_LIBS)
tests_unit_test_store_SOURCES = tests/unit/test_store.c $(STORE_FIXTURE)
tests_unit_test_store_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_store_LDADD = $(STORE_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_imap
endif
tests_unit_test_imap_SOURCES = tests/unit/test_imap.c
tests_unit_test_imap_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_imap_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_imap_lex
endif
tests_unit_test_imap_lex_SOURCES = tests/unit/test_imap_lex.c
tests_unit_test_imap_lex_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_imap_lex_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_imap_idle tests/unit/test_imap_keyword \
	tests/unit/test_imap_limit tests/unit/test_imap_list \
	tests/unit/test_imap_overtake \
	tests/unit/test_imap_name
endif
tests_unit_test_imap_idle_SOURCES = tests/unit/test_imap_idle.c
tests_unit_test_imap_idle_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_imap_idle_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)
tests_unit_test_imap_keyword_SOURCES = tests/unit/test_imap_keyword.c
tests_unit_test_imap_keyword_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_imap_keyword_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)
tests_unit_test_imap_overtake_SOURCES = tests/unit/test_imap_overtake.c
tests_unit_test_imap_overtake_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_imap_overtake_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)
tests_unit_test_imap_limit_SOURCES = tests/unit/test_imap_limit.c
tests_unit_test_imap_limit_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_imap_limit_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)
tests_unit_test_imap_list_SOURCES = tests/unit/test_imap_list.c
tests_unit_test_imap_list_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_imap_list_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)
tests_unit_test_imap_name_SOURCES = tests/unit/test_imap_name.c
tests_unit_test_imap_name_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_imap_name_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_pop3
endif
tests_unit_test_pop3_SOURCES = tests/unit/test_pop3.c
tests_unit_test_pop3_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_pop3_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

# --- net, relay: a fake that is linked as an object takes the place of the
# library's member of that name.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_loop tests/unit/test_conn tests/unit/test_tls \
	tests/unit/test_parcel \
	tests/unit/test_retry tests/unit/test_server tests/unit/test_spool \
	tests/unit/test_trace tests/unit/test_transfer \
	tests/unit/test_transfer_sender \
	tests/unit/test_sink_smtp
endif
NET_TEST_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(OPENSSL_CFLAGS) \
	$(CMOCKA_CFLAGS)
NET_TEST_LIBS = libnet.a libproto.a libbase.a $(EVENT_LIBS) \
	$(OPENSSL_LIBS) $(CMOCKA_LIBS) $(SYSTEMD_LIBS)
RELAY_TEST_LIBS = librelay.a libauth.a libconf.a $(NET_TEST_LIBS) \
	$(GSASL_LIBS) $(CURL_LIBS) $(JANSSON_LIBS) $(CONFIG_LIBS)
tests_unit_test_loop_SOURCES = tests/unit/test_loop.c
tests_unit_test_loop_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_loop_LDADD = $(NET_TEST_LIBS)
tests_unit_test_conn_SOURCES = tests/unit/test_conn.c
tests_unit_test_conn_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_conn_LDADD = $(NET_TEST_LIBS)
tests_unit_test_tls_SOURCES = tests/unit/test_tls.c
tests_unit_test_tls_CFLAGS = $(NET_TEST_CFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_tls_LDADD = $(NET_TEST_LIBS)
tests_unit_test_retry_SOURCES = tests/unit/test_retry.c
tests_unit_test_retry_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_retry_LDADD = $(RELAY_TEST_LIBS)
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_phrase
endif
tests_unit_test_phrase_SOURCES = tests/unit/test_phrase.c
tests_unit_test_phrase_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_phrase_LDADD = $(RELAY_TEST_LIBS)
tests_unit_test_server_SOURCES = tests/unit/test_server.c
tests_unit_test_server_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_server_LDADD = $(RELAY_TEST_LIBS)
tests_unit_test_spool_SOURCES = tests/unit/test_spool.c
tests_unit_test_spool_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_spool_LDADD = $(RELAY_TEST_LIBS)
tests_unit_test_parcel_SOURCES = tests/unit/test_parcel.c
tests_unit_test_parcel_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_parcel_LDADD = $(RELAY_TEST_LIBS)
tests_unit_test_trace_SOURCES = tests/unit/test_trace.c
tests_unit_test_trace_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_trace_LDADD = $(RELAY_TEST_LIBS)
TRANSFER_STAGE = tests/unit/transfer_stage.c tests/unit/transfer_stage.h \
	tests/trail.h tests/fake/fake_sink.c tests/fake/fake_sink.h \
	tests/fake/fake_store.c tests/fake/fake_store.h
tests_unit_test_transfer_SOURCES = tests/unit/test_transfer.c \
	$(TRANSFER_STAGE)
tests_unit_test_transfer_sender_SOURCES = tests/unit/test_transfer_sender.c \
	$(TRANSFER_STAGE)
tests_unit_test_transfer_sender_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_transfer_sender_LDADD = $(RELAY_TEST_LIBS)
tests_unit_test_transfer_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_transfer_LDADD = $(RELAY_TEST_LIBS)
SINK_PLAY = tests/unit/sink_play.c tests/unit/sink_play.h tests/trail.h \
	tests/fake/fake_conn.c tests/fake/fake_conn.h \
	tests/fake/fake_loop.c tests/fake/fake_loop.h
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_sink_login
endif
tests_unit_test_sink_login_SOURCES = tests/unit/test_sink_login.c $(SINK_PLAY) \
	tests/fake/fake_token.c tests/fake/fake_token.h
tests_unit_test_sink_login_CFLAGS = $(NET_TEST_CFLAGS) $(GSASL_CFLAGS)
tests_unit_test_sink_login_LDADD = $(RELAY_TEST_LIBS)
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_source_login \
	tests/unit/test_source_flight tests/unit/test_sizes
endif
tests_unit_test_sizes_SOURCES = tests/unit/test_sizes.c
tests_unit_test_sizes_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_sizes_LDADD = $(RELAY_TEST_LIBS)
tests_unit_test_source_flight_SOURCES = tests/unit/test_source_flight.c \
	tests/trail.h tests/fake/fake_conn.c tests/fake/fake_conn.h \
	tests/fake/fake_token.c tests/fake/fake_token.h
tests_unit_test_source_flight_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_source_flight_LDADD = $(RELAY_TEST_LIBS)
tests_unit_test_source_login_SOURCES = tests/unit/test_source_login.c \
	tests/trail.h tests/fake/fake_conn.c tests/fake/fake_conn.h \
	tests/fake/fake_token.c tests/fake/fake_token.h
tests_unit_test_source_login_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_source_login_LDADD = $(RELAY_TEST_LIBS)
tests_unit_test_sink_smtp_SOURCES = tests/unit/test_sink_smtp.c $(SINK_PLAY)
tests_unit_test_sink_smtp_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_sink_smtp_LDADD = $(RELAY_TEST_LIBS)
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_sink_lines tests/unit/test_sink_window
endif
tests_unit_test_sink_lines_SOURCES = tests/unit/test_sink_lines.c $(SINK_PLAY)
tests_unit_test_sink_lines_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_sink_lines_LDADD = $(RELAY_TEST_LIBS)
tests_unit_test_sink_window_SOURCES = tests/unit/test_sink_window.c $(SINK_PLAY)
tests_unit_test_sink_window_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_sink_window_LDADD = $(RELAY_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_worker tests/unit/test_worker_queue
endif
WORKER_STAGE = tests/unit/worker_stage.c tests/unit/worker_stage.h \
	tests/trail.h tests/fake/fake_sink.c tests/fake/fake_sink.h \
	tests/fake/fake_source.c tests/fake/fake_source.h \
	tests/fake/fake_store.c tests/fake/fake_store.h
tests_unit_test_worker_SOURCES = tests/unit/test_worker.c $(WORKER_STAGE)
tests_unit_test_worker_queue_SOURCES = tests/unit/test_worker_queue.c \
	$(WORKER_STAGE)
tests_unit_test_worker_queue_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_worker_queue_LDADD = $(RELAY_TEST_LIBS)
tests_unit_test_worker_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_worker_LDADD = $(RELAY_TEST_LIBS)

# What a message is recognised by on another server.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_imap_date tests/unit/test_fingerprint
endif
tests_unit_test_imap_date_SOURCES = tests/unit/test_imap_date.c
tests_unit_test_imap_date_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_imap_date_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) \
	$(SYSTEMD_LIBS)
tests_unit_test_fingerprint_SOURCES = tests/unit/test_fingerprint.c
tests_unit_test_fingerprint_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_fingerprint_LDADD = $(RELAY_TEST_LIBS)
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_recognise
endif
tests_unit_test_recognise_SOURCES = tests/unit/test_recognise.c \
	$(STORE_FIXTURE)
tests_unit_test_recognise_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_recognise_LDADD = $(STORE_TEST_LIBS)
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_pause
endif
tests_unit_test_pause_SOURCES = tests/unit/test_pause.c $(STORE_FIXTURE)
tests_unit_test_pause_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_pause_LDADD = $(STORE_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_deaths
endif
tests_unit_test_deaths_SOURCES = tests/unit/test_deaths.c $(STORE_FIXTURE)
tests_unit_test_deaths_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_deaths_LDADD = $(STORE_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_trouble
endif
tests_unit_test_trouble_SOURCES = tests/unit/test_trouble.c
tests_unit_test_trouble_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_trouble_LDADD = $(RELAY_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_report
endif
tests_unit_test_report_SOURCES = tests/unit/test_report.c
tests_unit_test_report_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_report_LDADD = libproto.a libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_held
endif
tests_unit_test_held_SOURCES = tests/unit/test_held.c $(STORE_FIXTURE)
tests_unit_test_held_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_held_LDADD = $(STORE_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_backup
endif
tests_unit_test_backup_SOURCES = tests/unit/test_backup.c $(STORE_FIXTURE)
tests_unit_test_backup_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_backup_LDADD = $(STORE_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_mark tests/unit/test_since
endif
tests_unit_test_mark_SOURCES = tests/unit/test_mark.c $(STORE_FIXTURE)
tests_unit_test_mark_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_mark_LDADD = $(STORE_TEST_LIBS)
tests_unit_test_since_SOURCES = tests/unit/test_since.c $(STORE_FIXTURE)
tests_unit_test_since_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_since_LDADD = $(STORE_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_stamp
endif
tests_unit_test_stamp_SOURCES = tests/unit/test_stamp.c $(STORE_FIXTURE)
tests_unit_test_stamp_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_stamp_LDADD = $(STORE_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_summary tests/unit/test_history
endif
tests_unit_test_summary_SOURCES = tests/unit/test_summary.c $(STORE_FIXTURE)
tests_unit_test_summary_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_summary_LDADD = $(STORE_TEST_LIBS)
tests_unit_test_history_SOURCES = tests/unit/test_history.c $(STORE_FIXTURE)
tests_unit_test_history_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_history_LDADD = $(STORE_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_clock
endif
tests_unit_test_clock_SOURCES = tests/unit/test_clock.c $(STORE_FIXTURE)
tests_unit_test_clock_CFLAGS = $(STORE_TEST_CFLAGS)
tests_unit_test_clock_LDADD = $(STORE_TEST_LIBS)

# --- what is counted, shown and told ---
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_histogram tests/unit/test_tally
endif
tests_unit_test_histogram_SOURCES = tests/unit/test_histogram.c
tests_unit_test_histogram_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_histogram_LDADD = libbase.a $(CMOCKA_LIBS) $(SYSTEMD_LIBS)
tests_unit_test_tally_SOURCES = tests/unit/test_tally.c $(SINK_PLAY)
tests_unit_test_tally_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_tally_LDADD = $(RELAY_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_metrics
endif
DAEMON_TEST_CFLAGS = $(STORE_TEST_CFLAGS) $(EVENT_CFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_metrics_SOURCES = tests/unit/test_metrics.c $(STORE_FIXTURE)
tests_unit_test_metrics_CFLAGS = $(DAEMON_TEST_CFLAGS)
tests_unit_test_metrics_LDADD = libdaemon.a librelay.a $(STORE_TEST_LIBS) \
	$(EVENT_LIBS) $(OPENSSL_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_program
endif
tests_unit_test_program_SOURCES = tests/unit/test_program.c
tests_unit_test_program_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_program_LDADD = $(NET_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_sink_letter
endif
tests_unit_test_sink_letter_SOURCES = tests/unit/test_sink_letter.c $(SINK_PLAY)
tests_unit_test_sink_letter_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_sink_letter_LDADD = $(RELAY_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_alert
endif
tests_unit_test_alert_SOURCES = tests/unit/test_alert.c tests/trail.h \
	tests/fake/fake_loop.c tests/fake/fake_loop.h \
	tests/fake/fake_sink.c tests/fake/fake_sink.h
tests_unit_test_alert_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_alert_LDADD = libdaemon.a $(RELAY_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_notify
endif
tests_unit_test_notify_SOURCES = tests/unit/test_notify.c
tests_unit_test_notify_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_notify_LDADD = libdaemon.a $(NET_TEST_LIBS)

# --- the control socket ---
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_control_route
endif
tests_unit_test_control_route_SOURCES = tests/unit/test_control_route.c
tests_unit_test_control_route_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_control_route_LDADD = libdaemon.a libbase.a $(CMOCKA_LIBS) \
	$(SYSTEMD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_sched tests/unit/test_lanes
endif
tests_unit_test_sched_SOURCES = tests/unit/test_sched.c
tests_unit_test_sched_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_sched_LDADD = $(RELAY_TEST_LIBS)
tests_unit_test_lanes_SOURCES = tests/unit/test_lanes.c
tests_unit_test_lanes_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_lanes_LDADD = $(RELAY_TEST_LIBS)


# The probe of mailhaul check --online.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_probe
endif
tests_unit_test_probe_SOURCES = tests/unit/test_probe.c tests/trail.h \
	tests/fake/fake_conn.c tests/fake/fake_conn.h
tests_unit_test_probe_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_probe_LDADD = $(RELAY_TEST_LIBS)
# --- OAuth2 ---
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_oauth tests/unit/test_token
endif
OAUTH_TEST_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
OAUTH_TEST_LIBS = libauth.a libnet.a libbase.a $(CURL_LIBS) \
	$(JANSSON_LIBS) $(EVENT_LIBS) $(OPENSSL_LIBS) $(CMOCKA_LIBS) \
	$(SYSTEMD_LIBS) -lpthread
tests_unit_test_oauth_SOURCES = tests/unit/test_oauth.c
tests_unit_test_oauth_CFLAGS = $(OAUTH_TEST_CFLAGS)
tests_unit_test_oauth_LDADD = $(OAUTH_TEST_LIBS)
tests_unit_test_token_SOURCES = tests/unit/test_token.c \
	tests/fake/fake_loop.c tests/fake/fake_loop.h \
	tests/fake/fake_provider.c tests/fake/fake_provider.h
tests_unit_test_token_CFLAGS = $(OAUTH_TEST_CFLAGS)
tests_unit_test_token_LDADD = $(OAUTH_TEST_LIBS)
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_finder
endif
tests_unit_test_finder_SOURCES = tests/unit/test_finder.c tests/trail.h \
	tests/fake/fake_source.c tests/fake/fake_source.h
tests_unit_test_finder_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_finder_LDADD = $(RELAY_TEST_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_account
endif
tests_unit_test_account_SOURCES = tests/unit/test_account.c tests/trail.h \
	tests/fake/fake_loop.c tests/fake/fake_loop.h \
	tests/fake/fake_source.c tests/fake/fake_source.h \
	tests/fake/fake_worker.c tests/fake/fake_worker.h
tests_unit_test_account_CFLAGS = $(NET_TEST_CFLAGS)
tests_unit_test_account_LDADD = libdaemon.a $(RELAY_TEST_LIBS)
