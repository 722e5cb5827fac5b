# One fuzzer per pure parser.  With --enable-fuzzing (clang) each is a libFuzzer
# program: tests/fuzz/fuzz_X -dict=... a-copy-of-the-corpus.  Without, replay.c
# gives it its corpus during make check.  A new one: a line in FUZZERS, the three
# lines below it, and seeds in tests/fuzz/corpus/X.
FUZZERS = tests/fuzz/fuzz_conf \
	tests/fuzz/fuzz_control \
	tests/fuzz/fuzz_dot \
	tests/fuzz/fuzz_fetchmail \
	tests/fuzz/fuzz_header \
	tests/fuzz/fuzz_imap \
	tests/fuzz/fuzz_imap_lex \
	tests/fuzz/fuzz_imap_name \
	tests/fuzz/fuzz_line \
	tests/fuzz/fuzz_oauth \
	tests/fuzz/fuzz_pop3 \
	tests/fuzz/fuzz_report \
	tests/fuzz/fuzz_rewrite \
	tests/fuzz/fuzz_sasl \
	tests/fuzz/fuzz_smtp \
	tests/fuzz/fuzz_smtp_reply \
	tests/fuzz/fuzz_starttls
if FUZZING
noinst_PROGRAMS += $(FUZZERS)
FUZZ_MAIN =
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
else
check_PROGRAMS += $(FUZZERS)
FUZZ_MAIN = tests/fuzz/replay.c
FUZZ_LINK = $(AM_LDFLAGS)
endif
EXTRA_DIST += tests/trail.h tests/fuzz/fuzz.h tests/fuzz/corpus \
	tests/fuzz/message.dict tests/fuzz/smtp.dict

tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c $(FUZZ_MAIN)
tests_fuzz_fuzz_conf_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_conf_LDADD = libconf.a libbase.a $(CONFIG_LIBS) $(SYSTEMD_LIBS)

EXTRA_DIST += tests/fuzz/control.dict
tests_fuzz_fuzz_control_SOURCES = tests/fuzz/fuzz_control.c $(FUZZ_MAIN)
tests_fuzz_fuzz_control_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_control_LDADD = libdaemon.a libbase.a \
	$(SYSTEMD_LIBS)

tests_fuzz_fuzz_dot_SOURCES = tests/fuzz/fuzz_dot.c $(FUZZ_MAIN)
tests_fuzz_fuzz_dot_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_dot_LDADD = libproto.a libbase.a $(SYSTEMD_LIBS)

EXTRA_DIST += tests/fuzz/fetchmail.dict
tests_fuzz_fuzz_fetchmail_SOURCES = tests/fuzz/fuzz_fetchmail.c \
	src/cli/import_conf.c src/cli/import_conf.h \
	src/cli/import_destination.c src/cli/import_text.c \
	src/cli/text.c $(FUZZ_MAIN)
tests_fuzz_fuzz_fetchmail_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_fetchmail_LDADD = libproto.a libconf.a libbase.a \
	$(CONFIG_LIBS) $(SYSTEMD_LIBS)

tests_fuzz_fuzz_header_SOURCES = tests/fuzz/fuzz_header.c $(FUZZ_MAIN)
tests_fuzz_fuzz_header_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_header_LDADD = libproto.a libbase.a $(SYSTEMD_LIBS)

tests_fuzz_fuzz_line_SOURCES = tests/fuzz/fuzz_line.c $(FUZZ_MAIN)
tests_fuzz_fuzz_line_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_line_LDADD = libproto.a libbase.a $(SYSTEMD_LIBS)

EXTRA_DIST += tests/run_rewrite.h
tests_fuzz_fuzz_rewrite_SOURCES = tests/fuzz/fuzz_rewrite.c $(FUZZ_MAIN)
tests_fuzz_fuzz_rewrite_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_rewrite_LDADD = libproto.a libbase.a $(SYSTEMD_LIBS)

tests_fuzz_fuzz_smtp_SOURCES = tests/fuzz/fuzz_smtp.c $(FUZZ_MAIN)
tests_fuzz_fuzz_smtp_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_smtp_LDADD = libproto.a libbase.a $(SYSTEMD_LIBS)

tests_fuzz_fuzz_smtp_reply_SOURCES = tests/fuzz/fuzz_smtp_reply.c $(FUZZ_MAIN)
tests_fuzz_fuzz_smtp_reply_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_smtp_reply_LDADD = libproto.a libbase.a $(SYSTEMD_LIBS)

tests_fuzz_fuzz_starttls_SOURCES = tests/fuzz/fuzz_starttls.c $(FUZZ_MAIN)
tests_fuzz_fuzz_starttls_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_starttls_LDADD = libproto.a libbase.a $(SYSTEMD_LIBS)

EXTRA_DIST += tests/run_imap.h tests/run_imap_lex.h tests/run_pop3.h \
	tests/fuzz/imap.dict tests/fuzz/imap_name.dict tests/fuzz/pop3.dict

tests_fuzz_fuzz_imap_SOURCES = tests/fuzz/fuzz_imap.c $(FUZZ_MAIN)
tests_fuzz_fuzz_imap_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_imap_LDADD = libproto.a libbase.a $(SYSTEMD_LIBS)

tests_fuzz_fuzz_imap_lex_SOURCES = tests/fuzz/fuzz_imap_lex.c $(FUZZ_MAIN)
tests_fuzz_fuzz_imap_lex_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_imap_lex_LDADD = libproto.a libbase.a $(SYSTEMD_LIBS)

tests_fuzz_fuzz_imap_name_SOURCES = tests/fuzz/fuzz_imap_name.c $(FUZZ_MAIN)
tests_fuzz_fuzz_imap_name_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_imap_name_LDADD = libproto.a libbase.a $(SYSTEMD_LIBS)

tests_fuzz_fuzz_pop3_SOURCES = tests/fuzz/fuzz_pop3.c $(FUZZ_MAIN)
tests_fuzz_fuzz_pop3_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_pop3_LDADD = libproto.a libbase.a $(SYSTEMD_LIBS)

tests_fuzz_fuzz_report_SOURCES = tests/fuzz/fuzz_report.c $(FUZZ_MAIN)
tests_fuzz_fuzz_report_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_report_LDADD = libproto.a libbase.a $(SYSTEMD_LIBS)

EXTRA_DIST += tests/fuzz/sasl.dict
tests_fuzz_fuzz_sasl_SOURCES = tests/fuzz/fuzz_sasl.c $(FUZZ_MAIN)
tests_fuzz_fuzz_sasl_CFLAGS = $(AM_CFLAGS) $(GSASL_CFLAGS) $(OPENSSL_CFLAGS)
tests_fuzz_fuzz_sasl_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_sasl_LDADD = libauth.a libbase.a $(GSASL_LIBS) \
	$(JANSSON_LIBS) $(SYSTEMD_LIBS)

EXTRA_DIST += tests/fuzz/oauth.dict
tests_fuzz_fuzz_oauth_SOURCES = tests/fuzz/fuzz_oauth.c $(FUZZ_MAIN)
tests_fuzz_fuzz_oauth_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_oauth_LDADD = libauth.a libnet.a libbase.a $(CURL_LIBS) \
	$(JANSSON_LIBS) $(EVENT_LIBS) $(OPENSSL_LIBS) $(SYSTEMD_LIBS) -lpthread
