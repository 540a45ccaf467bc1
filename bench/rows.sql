-- A year of an office: about twenty messages in a conversation, and those of one hour lie
-- among each other as they came.
CREATE TEMP TABLE word AS
SELECT n, (ARRAY['order','parcel','invoice','please','thank','where','when','card'])[1 + n %% 8]
    || CASE WHEN n < 8 THEN '' ELSE substr(md5(n::text), 1, 3 + n %% 4) END AS word
FROM generate_series(0, 3999) n;
ANALYZE word;

CREATE TEMP TABLE sentence AS  -- few words are frequent, most are rare
SELECT s AS n, string_agg(word, ' ') AS text
FROM (SELECT s, floor(4000 * random() ^ 3)::int AS n
      FROM generate_series(0, 19999) s, generate_series(1, 4 + s %% 16)) picked
JOIN word USING (n) GROUP BY s;
CREATE UNIQUE INDEX ON sentence (n);
ANALYZE sentence;

CREATE TEMP TABLE staff AS
SELECT row_number() OVER (ORDER BY a.id) - 1 AS n, a.id AS agent, m.queue_id AS queue,
       q.site_id AS site, count(*) OVER () AS many
FROM agents_agent a JOIN helpdesk_queuemembership m ON m.agent_id = a.id
JOIN helpdesk_queue q ON q.id = m.queue_id;

CREATE TEMP TABLE talk AS
SELECT n, staff.*, n > %(conversations)s - %(open)s AS open,
       CASE WHEN n > %(conversations)s - %(long_ones)s THEN %(long)s ELSE 8 + n * 7919 %% 25 END
           AS places,
       (n %% 3 = 0)::int AS notes,
       (n %% 10 < 2)::int AS unhappy,
       md5('customer' || n)::uuid AS customer,
       now() - interval '365 days' * (%(conversations)s - n + 1) / %(conversations)s AS began
FROM (SELECT n, n %% (SELECT count(*) FROM staff) AS who
      FROM generate_series(1, %(conversations)s) n) each
JOIN (SELECT n AS who, agent, queue, site FROM staff) staff USING (who);

INSERT INTO customers_customer
    (id, site_id, name, email, locale, page, fields, address, user_agent, blocked_why,
     created_at)
SELECT customer, site, 'Cora ' || initcap(word.word), 'cora' || talk.n || '@example.com', 'en',
       '{}', '{}', '', '', '', began
FROM talk JOIN word ON word.n = talk.n %% 4000;

ALTER TABLE talk ADD id uuid;
UPDATE talk SET id = (
    lpad(to_hex((extract(epoch FROM began) * 1000)::bigint), 12, '0')
    || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15)
)::uuid;
ANALYZE talk;

INSERT INTO helpdesk_conversation
    (id, site_id, queue_id, customer_id, agent_id, state, outcome, "left", version, seq,
     notes, read_by_customer, read_by_agent, rating, rating_comment, created_at,
     waiting_since, priority, cycle, tags, said_at, mailed_seq, rescued, started_at,
     ended_at)
SELECT id, site, queue, customer, agent,
       CASE WHEN open THEN 'active' ELSE 'ended' END,
       CASE WHEN open THEN '' WHEN unhappy = 1 THEN 'missed' ELSE 'resolved' END,
       false, places, places - notes, notes, places - notes, places - notes,
       CASE WHEN open OR n %% 4 > 0 THEN NULL ELSE 1 + n %% 5 END, '', began, began, 0, 1,
       '[]', now(), 0, false, began + interval '20 seconds',
       CASE WHEN open THEN NULL ELSE began + interval '10 minutes' END
FROM talk;

INSERT INTO helpdesk_assignment
    (conversation_id, agent_id, kind, started_at, ended_at, ended_why, cycle)
SELECT id, agent, 'hold', began + interval '20 seconds',
       CASE WHEN open THEN NULL ELSE began + interval '10 minutes' END,
       CASE WHEN open THEN '' ELSE 'ended' END, 1
FROM talk;

-- The long ones are spread over a month: their rows lie far from each other.
INSERT INTO helpdesk_message
    (conversation_id, place, seq, notes, client_id, kind, author, sender, text, event,
     data, at)
SELECT id, place, place - CASE WHEN place > 6 THEN notes ELSE 0 END,
       CASE WHEN place > 6 THEN notes ELSE 0 END, gen_random_uuid()::text,
       CASE WHEN place = 2 THEN 'system' WHEN place = 7 AND notes = 1 THEN 'note'
            ELSE 'text' END,
       CASE WHEN place = 2 THEN 'system' WHEN place %% 2 = 1 AND place <> 7 THEN 'customer'
            ELSE 'agent' END,
       CASE WHEN place = 2 THEN NULL WHEN place %% 2 = 1 AND place <> 7 THEN customer
            ELSE agent END,
       sentence.text || ' ' || (each.n::bigint * 1000 + place),
       CASE WHEN place = 2 THEN 'agent_joined' ELSE '' END,
       '{}', at
FROM (SELECT talk.*, place, floor(random() * 20000)::int AS s,
             CASE WHEN places = %(long)s THEN now() - interval '30 days' * (places - place) / places
                  ELSE began + interval '30 seconds' * (place - 1) END AS at
      FROM talk, LATERAL generate_series(1, places) place) each
JOIN sentence ON sentence.n = each.s
ORDER BY at;
